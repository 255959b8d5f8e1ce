//! The tokens of JSON: where each one starts and ends, checked.

use super::{JsonError, Reader, Text};

impl<'a> Reader<'a> {
    /// The first byte of the next token; 0, which starts none, at the end of the text.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        loop {
            let byte = self.byte();
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return byte;
            }
            self.at += 1;
        }
    }

    #[inline]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Reads the name of a member and the colon after it. Where the name begins and ends, and whether it has escapes.
    #[inline(always)]
    pub(super) fn key(&mut self) -> Result<(usize, usize, bool), JsonError> {
        if self.peek() != b'"' {
            return Err(JsonError::Syntax);
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let end = self.at - 1;
        if self.peek() != b':' {
            return Err(JsonError::Syntax);
        }
        self.at += 1;
        Ok((start, end, escaped))
    }

    /// Reads a string with its quotes. Whether it has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, JsonError> {
        self.at = plain_end(self.text.as_bytes(), self.at + 1);
        let escaped = self.byte() != b'"';
        if escaped {
            self.escaped_rest()?;
        }
        self.at += 1;
        Ok(escaped)
    }

    /// Reads a string with its quotes.
    #[inline]
    pub(super) fn text(&mut self) -> Result<Text<'a>, JsonError> {
        let start = self.at + 1;
        let escaped = self.string()?;
        Ok(Text { raw: &self.text[start..self.at - 1], escaped })
    }

    /// Reads a string up to its closing quote, from the first byte on that does not stand for itself.
    #[cold]
    fn escaped_rest(&mut self) -> Result<(), JsonError> {
        loop {
            match self.byte() {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                // A control character, or the end of the text.
                _ => return Err(JsonError::Syntax),
            }
            self.at = plain_end(self.text.as_bytes(), self.at);
        }
    }

    /// Reads an escape, from its backslash on. One half of a surrogate pair stands for no character: it is refused.
    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.byte() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => match self.code_unit()? {
                0xD800..=0xDBFF => {
                    let pair = self.text.as_bytes().get(self.at..self.at + 2) == Some(b"\\u");
                    self.at += 1;
                    if !pair || !(0xDC00..=0xDFFF).contains(&self.code_unit()?) {
                        return Err(JsonError::Syntax);
                    }
                }
                0xDC00..=0xDFFF => return Err(JsonError::Syntax),
                _ => {}
            },
            _ => return Err(JsonError::Syntax),
        }
        Ok(())
    }

    /// Reads a `u` and four hexadecimal digits.
    fn code_unit(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.as_bytes().get(self.at + 1..self.at + 5).ok_or(JsonError::Syntax)?;
        self.at += 5;
        digits.iter().try_fold(0, |unit, digit| {
            char::from(*digit).to_digit(16).map(|digit| unit << 4 | digit).ok_or(JsonError::Syntax)
        })
    }

    /// Reads a number, from its sign or first digit on.
    #[inline]
    pub(super) fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        if self.byte() == b'-' {
            self.at += 1;
        }
        match self.byte() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// Reads one digit or more.
    #[inline]
    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.byte().is_ascii_digit() {
            return Err(JsonError::Syntax);
        }
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    /// Reads `null`, `true` or `false`.
    #[inline]
    pub(super) fn literal(&mut self, literal: &str) -> Result<(), JsonError> {
        let end = self.at + literal.len();
        if self.text.as_bytes().get(self.at..end) != Some(literal.as_bytes()) {
            return Err(JsonError::Syntax);
        }
        self.at = end;
        Ok(())
    }
}

/// Every byte of a word set to `byte`.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Where the first byte stands, at or after `at`, that ends a run of plain characters: a quote, a backslash or a control
/// character; the end of `bytes` where there is none.
///
/// Eight bytes at a time, with the borrow of a subtraction as the test of a byte ("Bit Twiddling Hacks", Anderson:
/// `hasless`): bytes after the first hit may be taken for hits, the first hit itself is always right. Below 0x21 with
/// one bit turned are exactly the control characters and the quote, which is 0x22.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        let below = (word ^ each(0x02)).wrapping_sub(each(0x21));
        let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
        let hits = (below | backslash) & !word & each(0x80);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)).unwrap_or(rest.len())
}

/// The characters of a checked string, escapes decoded.
pub(super) struct Decoded<'a>(std::str::Chars<'a>);

impl<'a> Decoded<'a> {
    pub(super) fn new(raw: &'a str) -> Self {
        Self(raw.chars())
    }

    fn code_unit(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |unit, _| Some(unit << 4 | self.0.next()?.to_digit(16)?))
    }
}

impl Iterator for Decoded<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self.0.next()? {
            '\\' => match self.0.next()? {
                'b' => Some('\u{8}'),
                'f' => Some('\u{c}'),
                'n' => Some('\n'),
                'r' => Some('\r'),
                't' => Some('\t'),
                'u' => {
                    let unit = self.code_unit()?;
                    if !(0xD800..=0xDBFF).contains(&unit) {
                        return char::from_u32(unit);
                    }
                    self.0.nth(1)?;
                    let low = self.code_unit()?;
                    char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + low.checked_sub(0xDC00)?)
                }
                itself => Some(itself),
            },
            plain => Some(plain),
        }
    }
}
