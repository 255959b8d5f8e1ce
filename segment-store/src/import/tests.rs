use super::*;
use proptest::prelude::*;

const NOW: Micros = Micros(1_000_000_000_000_000);

fn parsed(line: &str) -> Result<Imported, String> {
    let segments = |name: &str| (name == "cart").then_some(SegmentId(7));
    parse(line.as_bytes(), &IdHasher::new([1; 16]), &segments, NOW).map_err(|problem| problem.to_string())
}

fn check(line: &str, expected: &str) {
    let shown = match parsed(line) {
        Ok(Imported { ids, membership: Membership { segment, until, confidence } }) => {
            let known = ["a", "b"].map(|id| (IdHasher::new([1; 16]).hash(&[id]), id));
            let name = |id: &IdHash| known.iter().find(|(hash, _)| hash == id).map_or("?", |(_, name)| name);
            let names: Vec<_> = ids.iter().map(name).collect();
            format!("{} in {segment} until {} at {confidence}", names.join("+"), until.0)
        }
        Err(problem) => problem,
    };
    assert_eq!(shown, expected, "{line}");
}

#[test]
fn good_lines() {
    check(r#"{"user":"a","segment":"cart","until":2000000000}"#, "a in 7 until 2000000000 at 100");
    check(
        r#"{"ids":["a","b"],"segment":"cart","until":2000000000,"confidence":0.855}"#,
        "a+b in 7 until 2000000000 at 86",
    );
    check(
        r#"{"user":"a","segment":"cart","until":"2033-05-18T03:33:20Z","confidence":0}"#,
        "a in 7 until 2000000000 at 0",
    );
    check(r#"{"user":"a","segment":"cart","until":"2033-05-18T05:33:20.9+02:00"}"#, "a in 7 until 2000000000 at 100");
}

#[test]
fn bad_lines() {
    let until = "an RFC 3339 time or whole seconds since 1970, before 2106";
    check(r#"{"user":"a","segment":"x","until":2000000000}"#, r#"unknown segment "x""#);
    check(r#"{"user":"a","segment":"cart"}"#, "missing field `until` at column 29");
    check(r#"{"segment":"cart","until":2000000000}"#, "missing field `user` (or `ids`)");
    check(
        r#"{"user":"a","ids":["b"],"segment":"cart","until":2000000000}"#,
        "both `user` and `ids`: one of them names the person",
    );
    check(r#"{"ids":[],"segment":"cart","until":2000000000}"#, "`ids` has 0 entries, must have 1 to 8");
    check(
        r#"{"ids":["","","","","","","","",""],"segment":"cart","until":1}"#,
        "`ids` has 9 entries, must have 1 to 8",
    );
    check(r#"{"user":"","segment":"cart","until":2000000000}"#, "an id has 0 bytes, must have 1 to 512");
    check(r#"{"user":"a","segment":"cart","until":1000000000}"#, "`until` has passed");
    check(
        r#"{"user":"a","segment":"cart","until":2000000000,"confidence":1.01}"#,
        "`confidence` is 1.01, must be 0 to 1",
    );
    check(r#"{"user":"a","segment":"cart","until":2000000000,"confidence":-1}"#, "`confidence` is -1, must be 0 to 1");
    check(
        r#"{"user":"a","segment":"cart","until":2000000000,"foo":1}"#,
        "unknown field `foo`, expected one of `user`, `ids`, `segment`, `until`, `confidence` at column 53",
    );
    for (wrong, what) in [
        ("\"tomorrow\"", "string \"tomorrow\""),
        ("4294967296", "integer `4294967296`"),
        ("\"1960-01-01T00:00:00Z\"", "string \"1960-01-01T00:00:00Z\""),
    ] {
        let line = format!(r#"{{"user":"a","segment":"cart","until":{wrong}}}"#);
        check(&line, &format!("invalid value: {what}, expected {until} at column {}", line.len() - 1));
    }
    check(r#"["a",null,"cart",2000000000,1]"#, "not a JSON object");
    check("{", "EOF while parsing an object at column 1");
    let long = format!(r#"{{"user":"{}","segment":"cart","until":2000000000}}"#, "x".repeat(513));
    check(&long, "an id has 513 bytes, must have 1 to 512");
    let long = format!(r#"{{"user":"a","segment":"{}","until":2000000000}}"#, "x".repeat(129));
    check(&long, "a segment's name has at most 128 bytes");
}

fn cut(chunks: &[&[u8]]) -> Vec<(u64, Option<Vec<u8>>)> {
    let mut lines = Lines::default();
    let mut given = Vec::new();
    for chunk in chunks {
        let mut chunk = *chunk;
        while let Some((number, line)) = lines.next(&mut chunk) {
            given.push((number, line.ok().map(<[u8]>::to_vec)));
        }
    }
    given.extend(lines.last().map(|(number, line)| (number, line.ok().map(<[u8]>::to_vec))));
    given
}

#[test]
fn lines_that_are_too_long_are_reported_and_not_held() {
    let long = vec![b'x'; IMPORT_LINE_BYTES_MAX];
    assert_eq!(cut(&[&long, b"\nb"]), [(1, Some(long.clone())), (2, Some(b"b".to_vec()))]);
    assert_eq!(
        cut(&[b"a\n", &long, b"y", &long, b"\nb\n"]),
        [(1, Some(b"a".to_vec())), (2, None), (3, Some(b"b".to_vec()))]
    );
    assert_eq!(cut(&[&long, b"y"]), [(1, None)]);
}

proptest! {
    #[test]
    fn lines_are_the_same_however_they_arrive(text in "[ab\n]{0,40}", cuts in proptest::collection::vec(0_usize..40, 0..6)) {
        let bytes = text.as_bytes();
        let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
        at.sort_unstable();
        let chunks: Vec<_> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let expected: Vec<_> = text.lines().map(|line| Some(line.as_bytes().to_vec())).collect();
        let given = cut(&chunks);
        prop_assert!(given.iter().map(|(number, _)| *number).eq(1..=expected.len() as u64));
        prop_assert_eq!(given.into_iter().map(|(_, line)| line).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_line_panics(line in "[\\{\\}\\[\\]\":,a-z0-9.e-]{0,60}") {
        let _either = parsed(&line);
    }
}
