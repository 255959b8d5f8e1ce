use super::*;

/// The value at the start of `text`, and whether nothing follows it.
fn read(text: &str) -> (Result<Value<'_>, JsonError>, bool) {
    let mut json = Reader::new(text);
    let value = json.value();
    (value, json.end().is_ok())
}

fn text(raw: &str, escaped: bool) -> Result<Value<'_>, JsonError> {
    Ok(Value::Text(Text { raw, escaped }))
}

#[test]
fn values_are_read_as_they_stand() {
    assert_eq!(read(" null "), (Ok(Value::Null), true));
    assert_eq!(read("true"), (Ok(Value::Bool), true));
    assert_eq!(read("-12.50e+3"), (Ok(Value::Number("-12.50e+3")), true));
    assert_eq!(read("\"\""), (text("", false), true));
    assert_eq!(read(r#""a\"b""#), (text(r#"a\"b"#, true), true));
    assert_eq!(read(r#"[{"a":[1,{}]},[]]"#), (Ok(Value::Nested), true));
    assert_eq!(read("1 2"), (Ok(Value::Number("1")), false));
    // A number ends where its grammar ends.
    assert_eq!(read("01"), (Ok(Value::Number("0")), false));
}

#[test]
fn the_end_of_a_string_is_found_wherever_it_is() {
    for len in 0..70 {
        for c in ['a', '\u{e9}', '\u{20AC}', '\u{7F}', '\u{80}', '#', '!', '[', ']', ' '] {
            let plain = String::from(c).repeat(len);
            assert_eq!(read(&format!("\"{plain}\"")), (text(&plain, false), true));
            assert_eq!(read(&format!("\"{plain}")).0, Err(JsonError::Syntax));
            assert_eq!(read(&format!("\"{plain}\u{1F}\"")).0, Err(JsonError::Syntax));
            assert_eq!(read(&format!("\"{plain}\u{0}\"")).0, Err(JsonError::Syntax));
            let escaped = format!(r"{plain}\n{plain}");
            assert_eq!(read(&format!("\"{escaped}\"")), (text(&escaped, true), true));
        }
    }
}

#[test]
fn escapes_are_decoded() {
    let raw = r#"\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\uDE00 plain é"#;
    let text = Text { raw, escaped: true };
    let decoded = "\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{20AC}\u{1F600} plain é";
    assert_eq!(text.chars().collect::<String>(), decoded);
    assert_eq!(text.short(&mut [0; 64]), Some(decoded));
    assert_eq!(text.short(&mut [0; 8]), None);
    assert_eq!(Text { raw: "a", escaped: false }.short(&mut []), Some("a"));
}

#[test]
fn what_is_not_the_shape_that_was_asked_for_is_skipped() {
    for (given, object, array) in [
        ("{}", Shape::Wanted, Shape::Other),
        ("[]", Shape::Other, Shape::Wanted),
        ("null", Shape::Null, Shape::Null),
        ("1", Shape::Other, Shape::Other),
    ] {
        let given = format!("{given},");
        let mut json = Reader::new(&given);
        assert_eq!(json.object(|json, _| json.skip()), Ok(object), "{given}");
        assert_eq!(json.peek(), b',');
        let mut json = Reader::new(&given);
        assert_eq!(json.array(Reader::skip), Ok(array), "{given}");
        assert_eq!(json.peek(), b',');
    }
    assert_eq!(Reader::new("nul").object(|json, _| json.skip()), Err(JsonError::Syntax));
}

#[test]
fn numbers_may_be_quoted_or_floats() {
    let whole = |text: &str| number::whole(Reader::new(text).value().expect("a value"));
    for (text, number) in [
        ("300", Some(300)),
        ("300.0", Some(300)),
        ("3e2", Some(300)),
        (r#""300""#, Some(300)),
        (r#""300.0""#, Some(300)),
        (r#""\u0033""#, Some(3)),
        ("-0", Some(0)),
        ("9223372036854775807", Some(i64::MAX)),
        ("9007199254740992.0", Some(1 << 53)),
        ("9223372036854775808", None),
        ("1e300", None),
        ("1e999", None),
        ("0.5", None),
        (r#""""#, None),
        (r#"" 1""#, None),
        (r#""inf""#, None),
        (r#""NaN""#, None),
        (r#""0x1""#, None),
        ("true", None),
        ("null", None),
        ("[1]", None),
    ] {
        assert_eq!(whole(text), number, "{text}");
    }
    assert_eq!(number::float(Value::Number("-1.5e1")), Some(-15.0));
    assert_eq!(number::float(Value::Number("1e999")), None);
}
