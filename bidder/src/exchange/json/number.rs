//! Numbers as exchanges write them: `300`, `300.0`, `3e2`, and each of these in quotes.

use super::{Text, Value};
use crate::limits::ESCAPED_BYTES_MAX;

/// Beyond it a float does not tell neighbouring whole numbers apart.
const WHOLE_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;

/// The whole number that `value` is; `None` where it is none.
#[inline]
pub fn whole(value: Value<'_>) -> Option<i64> {
    read(value, |digits| digits.parse().ok().or_else(|| whole_float(digits)))
}

/// The finite number that `value` is; `None` where it is none.
pub fn float(value: Value<'_>) -> Option<f64> {
    read(value, |digits| digits.parse().ok()).filter(|float: &f64| float.is_finite())
}

/// What `parse` makes of the text of a number, with or without quotes; `None` where there is no such text.
#[inline]
pub fn read<T>(value: Value<'_>, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    match value {
        Value::Number(token) => parse(token),
        Value::Text(text) => quoted(text, parse),
        _ => None,
    }
}

#[cold]
fn quoted<T>(text: Text<'_>, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    parse(text.short(&mut [0; ESCAPED_BYTES_MAX])?)
}

#[cold]
fn whole_float(digits: &str) -> Option<i64> {
    let float: f64 = digits.parse().ok()?;
    (float.fract() == 0.0 && float.abs() <= WHOLE_FLOAT_MAX).then_some(float as i64)
}
