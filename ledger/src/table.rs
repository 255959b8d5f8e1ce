//! CSV files that people hand over: a header that names columns, and everything that is wrong with them at once.

use decision::ids::ImpressionId;

mod columns;
mod lines;
mod mistakes;

pub(crate) use columns::{Cells, Column, Columns};
pub(crate) use lines::Lines;
pub use mistakes::Mistakes;

/// An impression's id as bids and streams show it.
pub(crate) fn impression(text: &str) -> Option<ImpressionId> {
    let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| plain)?;
    Some(ImpressionId(number.to_be_bytes()))
}
