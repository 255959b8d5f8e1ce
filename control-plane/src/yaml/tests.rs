use super::*;
use crate::problem::SourceFile;

/// The tree of `text` on one line (`key@line:column=value`), then its problems.
fn check(text: &str, tree: &str, problems: &[&str]) {
    let found = Problems::default();
    let (documents, _) = documents(0, text, &mut 0, &found);
    let shown: Vec<String> = documents.iter().map(|document| show(document)).collect();
    assert_eq!(shown.join(" --- "), tree);
    let files = [SourceFile { name: "f".into(), text: text.into() }];
    let found: Vec<String> = found.into_list(&files).iter().map(ToString::to_string).collect();
    assert_eq!(found, problems);
}

fn show(node: &Node) -> String {
    let at = format!("@{}:{}", node.place.line, node.place.column);
    match &node.value {
        Value::Null => format!("null{at}"),
        Value::Scalar(text) => format!("{text:?}{at}"),
        Value::List(nodes) => format!("[{}]{at}", nodes.iter().map(|node| show(node)).collect::<Vec<_>>().join(" ")),
        Value::Map(entries) => {
            let entry = |e: &Entry| format!("{}@{}:{}={}", e.key, e.place.line, e.place.column, show(&e.value));
            format!("{{{}}}{at}", entries.iter().map(entry).collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn every_node_knows_its_place() {
    check("a: 1\nb:\n  - x\n  - 'y'\n", r#"{a@1:1="1"@1:4 b@2:1=["x"@3:5 "y"@4:5]@3:3}@1:1"#, &[]);
    check("a: {b: [1]}", r#"{a@1:1={b@1:5=["1"@1:9]@1:8}@1:4}@1:1"#, &[]);
    check("---\na: é\n---\nb: |\n  x\n  y\n", "{a@2:1=\"é\"@2:4}@2:1 --- {b@4:1=\"x\\ny\\n\"@5:3}@4:1", &[]);
}

#[test]
fn scalars_stay_text_and_null_is_plain() {
    check("[no, 1.50, ~, null, '~', \"\"]", r#"["no"@1:2 "1.50"@1:6 null@1:12 null@1:15 "~"@1:21 ""@1:26]@1:1"#, &[]);
    check("# nothing\n", "", &[]);
}

#[test]
fn aliases_are_followed() {
    check("a: &x [1]\nb: *x\n", r#"{a@1:1=["1"@1:8]@1:4 b@2:1=["1"@1:8]@1:4}@1:1"#, &[]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    check(
        "a: 1\na: 2\nb: 3",
        r#"{a@1:1="1"@1:4 b@3:1="3"@3:4}@1:1"#,
        &["f:2:1: a: stands twice here, first in line 1"],
    );
    check("? [x]\n: 1\nb: 2", r#"{b@3:1="2"@3:4}@1:1"#, &["f:1:3: a key must be a word"]);
    check(
        "a: !!str 1",
        r#"{a@1:1="1"@1:4}@1:1"#,
        &["f:1:4: tags such as `!!str` are not used here: write the value alone"],
    );
    check(
        "a: 1\n---\nb: [",
        r#"{a@1:1="1"@1:4}@1:1"#,
        &["f:4:1: while parsing a node, did not find expected node content"],
    );
}

#[test]
fn bombs_are_refused() {
    let deep = format!("{}x{}", "[".repeat(65), "]".repeat(65));
    check(&deep, "", &["f:1:65: lists and maps may be nested 64 levels deep"]);
    let mut laughs = String::from("- &l0 ha\n");
    for level in 1..40 {
        laughs += &format!("- &l{level} [{}]\n", vec![format!("*l{}", level - 1); 9].join(", "));
    }
    let found = Problems::default();
    let (documents, whole) = documents(0, &laughs, &mut 0, &found);
    assert!(documents.is_empty() && !whole);
    let files = [SourceFile { name: "f".into(), text: laughs }];
    let found = found.into_list(&files);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "the aliases of this file add too much: write the values out");
    check("a: &x [*x]", "", &["f:1:8: an alias must not stand inside what it stands for"]);
}
