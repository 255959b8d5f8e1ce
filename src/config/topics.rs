//! `deploy/topics.yaml`: how the topics of the streams are made.

use std::collections::BTreeMap;

use event_log::{Stream, Topic};
use saphyr_parser::{Event, Parser};

/// What Vernier makes topics from where no file is named.
pub(super) const DEFAULT: &str = include_str!("../../deploy/topics.yaml");

/// The most partitions of a topic.
const PARTITIONS_MAX: u32 = 1_000;

/// A value with the line it begins on.
struct Node {
    line: usize,
    value: Value,
}

enum Value {
    Text(String),
    Map(Vec<(String, Node)>),
}

/// Reads such a file.
///
/// # Errors
/// Every problem there is, with its line.
pub(super) fn read(text: &str) -> Result<BTreeMap<Stream, Topic>, String> {
    let root = tree(text)?;
    let mut problems = Vec::new();
    let mut topics = BTreeMap::new();
    let Value::Map(entries) = root.value else { return Err("must name streams".to_owned()) };
    for (name, node) in entries {
        let line = node.line;
        match (Stream::of_name(&name), topic(node)) {
            (None, _) => problems.push(format!("line {line}: there is no stream {name}")),
            (Some(stream), Ok(topic)) => {
                let twice = topics.insert(stream, topic).map(|_| format!("line {line}: {name} stands there twice"));
                problems.extend(twice);
            }
            (Some(_), Err(wrong)) => problems.extend(wrong.iter().map(|wrong| format!("{name}: {wrong}"))),
        }
    }
    let missing = Stream::ALL.into_iter().filter(|stream| !topics.contains_key(stream));
    if problems.is_empty() {
        problems.extend(missing.map(|stream| format!("{stream} is missing")));
    }
    let [journal, snapshots] = [Stream::LedgerJournal, Stream::LedgerSnapshots].map(|stream| topics.get(&stream));
    if let (Some(journal), Some(snapshots)) = (journal, snapshots)
        && journal.partitions != snapshots.partitions
    {
        problems.push("ledger-snapshots must have as many partitions as ledger-journal".to_owned());
    }
    if problems.is_empty() { Ok(topics) } else { Err(problems.join("; ")) }
}

fn topic(node: Node) -> Result<Topic, Vec<String>> {
    let Value::Map(entries) = node.value else { return Err(vec!["must be a mapping".to_owned()]) };
    let mut topic = Topic { partitions: 0, replication: None, settings: BTreeMap::new() };
    let mut problems = Vec::new();
    for (key, Node { line, value }) in entries {
        let wrong = match (key.as_str(), value) {
            ("partitions", Value::Text(text)) => {
                topic.partitions = text.parse().unwrap_or(0);
                let right = (1..=PARTITIONS_MAX).contains(&topic.partitions);
                (!right).then(|| format!("must be a whole number from 1 to {PARTITIONS_MAX}"))
            }
            ("replication", Value::Text(text)) => {
                topic.replication = text.parse().ok().filter(|copies| (1..=1_000).contains(copies));
                topic.replication.is_none().then(|| "must be a whole number from 1 to 1000".to_owned())
            }
            ("settings", Value::Map(settings)) => settings.into_iter().find_map(|(name, node)| match node.value {
                Value::Text(text) => {
                    topic.settings.insert(name, text);
                    None
                }
                Value::Map(_) => Some(format!("{name} must be a text or number")),
            }),
            _ => Some("there are partitions, replication and settings".to_owned()),
        };
        problems.extend(wrong.map(|wrong| format!("line {line}: {key}: {wrong}")));
    }
    if topic.partitions == 0 && problems.is_empty() {
        problems.push(format!("line {}: partitions are missing", node.line));
    }
    if problems.is_empty() { Ok(topic) } else { Err(problems) }
}

/// Maps and texts are all there is in such a file.
fn tree(text: &str) -> Result<Node, String> {
    let mut open: Vec<(Node, Option<String>)> = vec![(Node { line: 1, value: Value::Map(Vec::new()) }, None)];
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
        let line = span.start.line();
        match event {
            Event::MappingStart(..) => open.push((Node { line, value: Value::Map(Vec::new()) }, None)),
            Event::MappingEnd => {
                let (node, _) = open.pop().expect("the parser pairs them");
                put(&mut open, node, None)?;
            }
            Event::Scalar(text, ..) => {
                put(&mut open, Node { line, value: Value::Text(text.to_string()) }, Some(&text))?;
            }
            Event::SequenceStart(..) | Event::Alias(_) => {
                return Err(format!("line {line}: lists and aliases have no place here"));
            }
            _ => {}
        }
    }
    let (root, waiting) = open.pop().expect("the root was put there");
    match (root.value, waiting) {
        // The document stands in the root as a value without a key.
        (Value::Map(mut documents), None) if documents.len() == 1 => Ok(documents.remove(0).1),
        _ => Err("must be one mapping of streams".to_owned()),
    }
}

/// Puts a node where the innermost open map waits for it; a text may be a key.
fn put(open: &mut [(Node, Option<String>)], node: Node, text: Option<&str>) -> Result<(), String> {
    let is_root = open.len() == 1;
    let (parent, waiting) = open.last_mut().expect("the root stays open");
    let Value::Map(entries) = &mut parent.value else { return Ok(()) };
    match (waiting.take(), text) {
        _ if is_root => entries.push((String::new(), node)),
        (Some(key), _) => entries.push((key, node)),
        (None, Some(text)) => *waiting = Some(text.to_owned()),
        (None, None) => return Err(format!("line {}: a key must be a text", node.line)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_names_every_stream() {
        let topics = read(DEFAULT).expect("it is right");
        assert_eq!(topics.len(), Stream::ALL.len());
        let journal = &topics[&Stream::LedgerJournal];
        assert_eq!((journal.partitions, journal.replication), (4, None));
        assert_eq!(journal.settings["retention.ms"], "-1");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let check = |text: &str, expected: &str| assert_eq!(read(text).expect_err("it is wrong"), expected, "{text}");
        check("", "must be one mapping of streams");
        check("bids", "must name streams");
        check("bids: [1]", "line 1: lists and aliases have no place here");
        check("bids: {partitions: 1\n", "line 2: while parsing a flow mapping, did not find expected ',' or '}'");
        check(
            "gossip: {partitions: 1}\nbids:\n  partitions: 0\n  colour: blue\n",
            "line 1: there is no stream gossip; bids: line 3: partitions: must be a whole number from 1 to 1000; bids: \
             line 4: colour: there are partitions, replication and settings",
        );
        check("bids: {replication: 0}", "bids: line 1: replication: must be a whole number from 1 to 1000");
        check("bids: {replication: 3}", "bids: line 1: partitions are missing");
        check("bids: {partitions: 1, settings: {a: {b: c}}}", "bids: line 1: settings: a must be a text or number");
        let six = DEFAULT.replace("opportunities:", "bids:");
        assert!(read(&six).expect_err("it is wrong").ends_with("bids stands there twice"), "{six}");
        let (six, _) = DEFAULT.split_once("# A share of the opp").expect("it is the last");
        check(six, "opportunities is missing");
        let uneven = DEFAULT.replacen("partitions: 4", "partitions: 3", 1);
        check(&uneven, "ledger-snapshots must have as many partitions as ledger-journal");
    }
}
