//! Broken and hostile bodies: never a panic, and JSON exactly where serde_json says that it is JSON.

use proptest::prelude::*;
use serde_json::Value;

use crate::{oracle, view};

/// A request with every field of the view in it, in its 2.5 and its 2.6 place.
const EVERYTHING: &str = include_str!("../golden/everything.json");

/// Reads `body` both ways and makes sure that they come to the same.
fn check(body: &[u8]) {
    let ours = view::read(body, &view::dialect());
    match (ours, oracle::read(body, false, false)) {
        // It nests deeper than we read, and serde_json than it reads, or not.
        (Err("too_deep"), _) | (_, None) => {}
        (Ok(ours), Some(Ok(walked))) => {
            assert!(view::agree(&ours, &walked), "ours   {ours}\nwalked {walked}\nbody {}", body.escape_ascii());
        }
        (ours, Some(walked)) => assert_eq!(ours, walked, "{}", body.escape_ascii()),
    }
}

#[test]
fn a_request_with_everything_is_read_as_the_walk_reads_it() {
    check(EVERYTHING.as_bytes());
    let compact = serde_json::from_str::<Value>(EVERYTHING).expect("JSON").to_string();
    check(compact.as_bytes());
    for end in 0..compact.len() {
        check(&compact.as_bytes()[..end]);
    }
}

#[test]
fn odd_json_is_told_from_what_is_none() {
    let bodies: &[&[u8]] = &[
        b"",
        b" ",
        b"{",
        b"}",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b"\"",
        b"\"\"",
        b"{}{}",
        b"{} x",
        b"{} \n\t\r",
        b"{,}",
        b"[1,]",
        b"\xEF\xBB\xBF{\"imp\":[]}",
        b"{\"imp\":[]}\0",
        b"{\"imp\":[]\x0B}",
        b"{\"imp\":[]\xC2\xA0}",
        b"{\"imp\":[],\"a\":01}",
        b"{\"imp\":[],\"a\":-}",
        b"{\"imp\":[],\"a\":1.}",
        b"{\"imp\":[],\"a\":.5}",
        b"{\"imp\":[],\"a\":1e}",
        b"{\"imp\":[],\"a\":1e+}",
        b"{\"imp\":[],\"a\":-0.0e-0}",
        b"{\"imp\":[],\"a\":+1}",
        b"{\"imp\":[],\"a\":nul}",
        b"{\"imp\":[],\"a\":nulll}",
        b"{\"imp\":[],\"a\":True}",
        b"{\"imp\":[],\"a\":NaN}",
        br#"{"imp":[],"a":"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\"}"#,
        br#"{"imp":[],"a":"\ud83d"}"#,
        br#"{"imp":[],"a":"\ud83d\u0041"}"#,
        br#"{"imp":[],"a":"\ude00"}"#,
        br#"{"imp":[],"a":"\ud83d\n"}"#,
        br#"{"imp":[],"a":"\u12"}"#,
        br#"{"imp":[],"a":"\u12g4"}"#,
        br#"{"imp":[],"a":"\x41"}"#,
        br#"{"imp":[],"a":"\"#,
        b"{\"imp\":[],\"a\":\"\xFF\"}",
        b"{\"imp\":[],\"a\":\"\xED\xA0\x80\"}",
        b"{\"imp\":[],\"a\":\"\xC0\xAF\"}",
        b"{\"imp\":[],\"a\":\"\x1F\"}",
        b"{\"imp\":[],\"a\":\"\x7F\"}",
        b"{\"imp\":[],\"a\":\"12345678\x01\"}",
        br#"{"imp":[] "a":1}"#,
        br#"{"imp":[],"a" 1}"#,
        br#"{"imp":[],a:1}"#,
        br#"{"imp":[],'a':1}"#,
        br#"{"imp":[],}"#,
        br#"{"imp":[[1,2},3]}"#,
        br#"{"imp":[{"a":[}]}]}"#,
        br#"{"imp":[{"a":{]}]}"#,
        br#"{"imp":[1 2]}"#,
        br#"{"imp":[// none
        ]}"#,
    ];
    bodies.iter().for_each(|body| check(body));
}

#[test]
fn names_and_values_may_be_written_with_escapes() {
    for body in [
        r#"{"\u0069d":"r","\u0069mp":[{"i\u0064":"\u0031","banner":{"\u0077":"\u0033\u0030\u0030","h":250}}]}"#,
        r#"{"id":"a\/b","imp":[{"id":"1","bidfloorcur":"\u0045UR"}],"badv":["a.example\/","\ud83d\ude00.example"]}"#,
        r#"{"id":"r","imp":[{"id":"1"},{"id":"\u0031"}],"device":{"geo":{"country":"us\u0061"}},"regs":{"copp\u0061":1}}"#,
    ] {
        check(body.as_bytes());
    }
}

#[test]
fn of_members_that_occur_twice_the_last_one_counts() {
    for body in [
        r#"{"id":"a","id":"b","imp":[{"id":"1"}],"imp":[{"id":"2","id":"3"}]}"#,
        r#"{"id":"a","imp":[{"id":"1","banner":{"w":1,"h":1},"banner":{"h":2}}],"regs":{"coppa":1},"regs":{}}"#,
        r#"{"id":"a","imp":[{"id":"1"}],"user":{"id":"u","consent":"x"},"user":{"eids":[]},"cur":["EUR"],"cur":null}"#,
        r#"{"id":"a","imp":[{"id":"1"}],"imp":7}"#,
        r#"{"id":"a","imp":[{"id":"1"}],"regs":{"ext":{"gdpr":1,"gpp":"x"},"ext":{"gpc":0,"gpp":null}}}"#,
        r#"{"id":"a","imp":[{"id":"1"}],"user":{"ext":{"eids":[{"source":"s","uids":[{"id":"1"}]}]},"ext":{}}}"#,
    ] {
        check(body.as_bytes());
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize, open: &str, close: &str| {
        format!(r#"{{"id":"r","imp":[],"ext":{}{}}}"#, open.repeat(depth), close.repeat(depth)).into_bytes()
    };
    // The request itself is one level.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let value = if open == "[" { "" } else { "1" };
        let close = |depth: usize| format!("{value}{}", close.repeat(depth));
        let body = |depth: usize| format!(r#"{{"id":"r","imp":[],"ext":{}{}}}"#, open.repeat(depth), close(depth));
        assert!(view::read(body(63).as_bytes(), &view::dialect()).is_ok(), "{open}");
        assert_eq!(view::read(body(64).as_bytes(), &view::dialect()), Err("too_deep"), "{open}");
    }
    assert_eq!(view::read(&nested(100_000, "[", ""), &view::dialect()), Err("too_deep"));
    assert_eq!(view::read("[".repeat(1_000_000).as_bytes(), &view::dialect()), Err("too_deep"));
}

#[test]
fn numbers_of_any_size_are_numbers() {
    for number in ["1e400", "-1e99999999999999999999", "123456789012345678901234567890", "0.1e-400", &"9".repeat(5_000)]
    {
        let body = format!(r#"{{"id":"r","imp":[{{"id":"1","bidfloor":{number}}}],"tmax":{number},"x":{number}}}"#);
        assert!(view::read(body.as_bytes(), &view::dialect()).is_ok(), "{number}");
    }
}

/// What is done to a body at a place in it.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(u8),
    Insert(Vec<u8>),
    Remove(usize),
    Copy(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let bytes = prop::sample::select(&br#"{}[]",:\0123456789eE+-.truefalsn u/"#[..]);
    let piece = prop::sample::select(vec![
        "null", "\"\"", "{}", "[]", "0", "1", "-1", "1.0", "\"1\"", "1e2", "\\u0041", "\\ud800", "\u{e9}", ",", "true",
    ]);
    prop_oneof![
        bytes.prop_map(Mutation::Replace),
        any::<u8>().prop_map(Mutation::Replace),
        piece.prop_map(|piece| Mutation::Insert(piece.as_bytes().to_vec())),
        (1_usize..20).prop_map(Mutation::Remove),
        (1_usize..60).prop_map(Mutation::Copy),
    ]
}

fn mutate(body: &mut Vec<u8>, at: usize, mutation: &Mutation) {
    let at = at % (body.len() + 1);
    let to = |len: usize| (at + len).min(body.len());
    match mutation {
        Mutation::Replace(byte) => body.splice(at..to(1), [*byte]).for_each(drop),
        Mutation::Insert(piece) => body.splice(at..at, piece.iter().copied()).for_each(drop),
        Mutation::Remove(len) => body.drain(at..to(*len)).for_each(drop),
        Mutation::Copy(len) => {
            let copy = body[at..to(*len)].to_vec();
            body.splice(at..at, copy).for_each(drop);
        }
    }
}

/// Every value of a request, replaced by one of another type.
fn retype(value: &mut Value, which: &mut usize, by: &Value) {
    if *which == 0 {
        *value = by.clone();
    }
    *which = which.wrapping_sub(1);
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| retype(element, which, by)),
        Value::Object(members) => members.values_mut().for_each(|member| retype(member, which, by)),
        _ => {}
    }
}

#[test]
fn every_field_may_be_of_every_type() {
    let everything: Value = serde_json::from_str(EVERYTHING).expect("JSON");
    let mut nodes = usize::MAX;
    retype(&mut everything.clone(), &mut nodes, &Value::Null);
    for node in 0..usize::MAX - nodes {
        for by in [
            "null", "true", "false", "0", "1", "-1", "2.0", "1.5", "1e300", r#""""#, r#""1""#, r#""x""#, "[]", "{}",
            "[1]",
        ] {
            let mut request = everything.clone();
            retype(&mut request, &mut { node }, &serde_json::from_str(by).expect("JSON"));
            check(request.to_string().as_bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn mutated_requests_are_read_as_the_walk_reads_them(
        compact in any::<bool>(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), mutation()), 1..6),
    ) {
        let mut body = EVERYTHING.as_bytes().to_vec();
        if compact {
            body = serde_json::from_str::<Value>(EVERYTHING).expect("JSON").to_string().into_bytes();
        }
        for (at, mutation) in &mutations {
            let at = at.index(body.len() + 1);
            mutate(&mut body, at, mutation);
        }
        check(&body);
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&body);
    }
}
