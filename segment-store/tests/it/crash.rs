//! A killed process keeps what it acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use segment_store::Join;

use super::*;

/// Of the second process: reads a directory's name from its input, joins people there one after the other and names
/// each on its output once the store says that it is durable, until it is killed. Run by itself it does nothing.
#[tokio::test]
#[ignore = "the process that is killed by the test below"]
async fn victim() {
    let mut path = String::new();
    std::io::stdin().read_line(&mut path).unwrap();
    if path.trim().is_empty() {
        return;
    }
    let profiles = local(Path::new(path.trim()));
    let first = profiles.stats().records.unwrap() as u64;
    for number in first.. {
        let ids = [id(number)];
        // Caps are acknowledged to nobody, and must not disturb.
        profiles.count(&ids, &event(1, CapChange::Won { until: at(2_000_000) }), NOW);
        let memberships = [membership(number as u32, 2_000_000), membership(1_000_000, 3_000_000)];
        profiles.join(&Join { ids: &ids, person: None, memberships: &memberships }, NOW).await.unwrap();
        // On a line of its own: the test runner writes to this output too.
        println!("\ndurable {number}");
        std::io::stdout().flush().unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = None;
    for kill_after in [1, 40, 7, 150] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::victim", "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{}", folder.path().display()).unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let durable = lines.filter_map(|line| line.strip_prefix("durable ")?.parse::<u64>().ok());
        let mut durable = durable.inspect(|number| acknowledged = Some(*number));
        assert_eq!(durable.by_ref().take(kill_after).count(), kill_after);
        child.kill().unwrap();
        // What was in the pipe when it was killed was acknowledged too.
        durable.for_each(drop);
        child.wait().unwrap();
    }
    let profiles = local(folder.path());
    let acknowledged = acknowledged.unwrap();
    for number in 0..=acknowledged {
        let shown = shown(&profiles, &[id(number)]).await;
        assert!(shown.starts_with(&format!("{number}:2000000 1000000:3000000")), "{number} of {acknowledged}: {shown}");
    }
}
