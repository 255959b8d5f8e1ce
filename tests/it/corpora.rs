//! Real bid requests, where the optional data is at hand, posted as an exchange posts them: every one is answered as it
//! deserves, and the process goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::process::{Answer, Vernier};

/// A request, and the status codes that are right for it.
struct Case {
    name: String,
    body: Vec<u8>,
    right: &'static [u16],
}

/// What every valid request is answered.
const READ: &[u16] = &[200, 204];
/// What is wrong for any receiver, and what is not even JSON.
const WRONG: &[u16] = &[204, 400];
const NO_JSON: &[u16] = &[400];
/// Where receivers may differ.
const ANY: &[u16] = &[200, 204, 400];

fn requests() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/openrtb/requests");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: the optional data is not at {}", folder.display());
    None
}

/// What a folder holds, by name.
fn entries(folder: &Path) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path)).collect()
}

/// The sets with a request a line whose names `belongs` says yes to, each with its requests.
fn sets(folder: &Path, belongs: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<Vec<u8>>> {
    let sets = entries(folder).into_iter().filter_map(|(file, path)| {
        let set = file.strip_suffix(".jsonl").filter(|set| belongs(set))?.to_owned();
        let lines = fs::read_to_string(path).expect("a set of requests");
        Some((set, lines.lines().map(request).collect()))
    });
    sets.collect()
}

/// The request of a line, without the same request in another form that captured ones carry.
fn request(line: &str) -> Vec<u8> {
    let Some((before, protobuf)) = line.split_once(",\"protobuf\":\"") else { return line.into() };
    let (_, after) = protobuf.split_once('"').expect("the end of a string");
    [before, after].concat().into()
}

/// For each line of a set whether it is wrong for any receiver, by its index.
fn wrong_for_any(folder: &Path, set: &str) -> Vec<bool> {
    let index = fs::read_to_string(folder.join(format!("{set}.index.tsv"))).expect("its index");
    let mut rows = index.lines().map(|row| row.split('\t').collect::<Vec<_>>());
    let column = rows.next().expect("a heading").iter().position(|name| *name == "our_reading");
    rows.map(|row| column.is_some_and(|at| row[at] == "wire")).collect()
}

/// Posts the requests to one process; how often each status was answered.
fn check(cases: impl IntoIterator<Item = Case>) -> BTreeMap<u16, usize> {
    let vernier = Vernier::up();
    let (mut answered, mut wrong) = (BTreeMap::new(), Vec::new());
    for case in cases {
        let answer = vernier.post_bid("demo", &case.body);
        *answered.entry(answer.status).or_default() += 1;
        if !is_right(&case, &answer) {
            let body: String = String::from_utf8_lossy(&answer.body).chars().take(80).collect();
            wrong.push(format!("{}: {} {body}", case.name, answer.status));
        }
    }
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(vernier.get_admin("/healthz").status, 200);
    let complaints = vernier.complaints();
    assert!(!complaints.contains("panicked"), "{complaints}");
    println!("answers by status: {answered:?}");
    answered
}

/// Whether the status is one of the right ones, bids are JSON that names the request, and nothing else has a body.
fn is_right(case: &Case, answer: &Answer) -> bool {
    let id = |body: &[u8]| serde_json::from_slice::<Value>(body).ok().map(|it| it["id"].clone());
    let said = match answer.status {
        200 => id(&answer.body).is_some_and(|named| Some(named) == id(&case.body)),
        _ => answer.body.is_empty(),
    };
    said && case.right.contains(&answer.status)
}

#[test]
fn every_valid_request_is_answered_with_bids_or_none() {
    let Some(folder) = requests() else { return };
    let lines = sets(&folder, |set| !set.contains(".invalid")).into_iter().flat_map(|(set, requests)| {
        let case = move |(at, body)| Case { name: format!("{set} line {}", at + 1), body, right: READ };
        requests.into_iter().enumerate().map(case)
    });
    let answered = check(lines);
    assert!(answered.values().sum::<usize>() >= 3_000, "{answered:?} is not the whole of the data");
    assert!(answered[&200] > 0 && answered[&204] > 0, "{answered:?}");
}

#[test]
fn requests_that_are_wrong_for_any_receiver_get_no_bid() {
    let Some(folder) = requests() else { return };
    let lines = sets(&folder, |set| set.contains(".invalid")).into_iter().flat_map(|(set, requests)| {
        let wrong = wrong_for_any(&folder, &set);
        let case = move |(at, body)| {
            let right = if wrong[at] { WRONG } else { ANY };
            Case { name: format!("{set} line {}", at + 1), body, right }
        };
        requests.into_iter().enumerate().map(case)
    });
    let cases: Vec<Case> = lines.collect();
    assert!(cases.iter().filter(|case| case.right == WRONG).count() >= 40, "they are not the whole of the data");
    check(cases);
}

#[test]
fn what_is_no_json_is_refused_without_a_word() {
    let Some(folder) = requests() else { return };
    let broken = entries(&folder)
        .into_iter()
        .filter(|(name, _)| [".unparsable", ".malformed"].iter().any(|kind| name.ends_with(kind)));
    let files = broken.flat_map(|(_, set)| entries(&set).into_values());
    let cases = files.map(|file| {
        let body = fs::read(&file).expect("a readable file");
        let right = if serde_json::from_slice::<Value>(&body).is_ok() { ANY } else { NO_JSON };
        Case { name: file.display().to_string(), body, right }
    });
    let answered = check(cases);
    assert!(answered[&400] >= 5, "{answered:?} is not the whole of the data");
}
