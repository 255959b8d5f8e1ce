//! What operators get wrong.

use std::process::Command;

use super::process::write;

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_vernier")).args(arguments).output().expect("the binary runs");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn every_mistake_is_listed_and_nothing_starts() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = "[bid]\nlisten = \"here\"\ncorse = 2\n[[exchange]]\nname = \"demo\"\nbillable = \"never\"\n";
    let file = write(dir.path(), "vernier.toml", text);
    for role in ["up", "bidder", "ledger", "segments"] {
        let (code, said) = run(&[role, "--config", &file]);
        assert_eq!(code, Some(2), "{role}");
        assert_eq!(said.lines().count(), 3, "{said}");
        for place in [":2: bid.listen", ":3: bid.corse", ":6: exchange[0].billable"] {
            assert!(said.contains(place), "{place}: {said}");
        }
    }
    assert_eq!(run(&["check", &file]).0, Some(2));
    assert_eq!(run(&["up", "--config", "no-such-file.toml"]).0, Some(2));
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_starts() {
    let dir = tempfile::tempdir().expect("a directory");
    let exchange = "[[exchange]]\nname = \"demo\"\n";
    for (wrong, place) in [
        ("[data]\ndir = \"\"", ":4: data.dir: "),
        ("[bid]\npublic_url = \"ftp://x\"", ":4: bid.public_url: "),
        ("[bid]\npublic_url = \"https://x?a=1\"", ":4: bid.public_url: "),
        ("[bid]\nlisten = \"127.0.0.1:8081\"", ":4: bid.listen: "),
        ("[bid]\nlisten = \"0.0.0.0:8080\"", ":4: bid.listen: "),
        ("[bid]\nlisten = \"[::]:8080\"", ":4: bid.listen: "),
    ] {
        let file = write(dir.path(), "vernier.toml", &format!("{exchange}{wrong}\n"));
        for (arguments, what) in [(&["check", &file][..], "check"), (&["up", "--config", &file], "start")] {
            let (code, said) = run(arguments);
            assert_eq!((code, said.lines().count()), (Some(2), 1), "{what} {wrong}: {said}");
            assert!(said.contains(place), "{what} {wrong}: {said}");
        }
    }
}

#[test]
fn the_documented_configuration_and_the_sample_are_without_problems() {
    let root = env!("CARGO_MANIFEST_DIR");
    let (code, said) = run(&["check", &format!("{root}/deploy/vernier.toml"), &format!("{root}/deploy/sample")]);
    assert_eq!(code, Some(0), "{said}");
}
