//! A pull reader of JSON text (RFC 8259): one pass, borrowed, no allocation.
//!
//! It accepts what serde_json accepts, with two differences: nesting is bounded by [`JSON_DEPTH_MAX`], and a number may
//! be too large for a float, since whoever wants it finds it unreadable then. Values that nobody asks for are still
//! checked to the last byte.

use crate::limits::{ESCAPED_BYTES_MAX, JSON_DEPTH_MAX};

pub mod number;
mod scan;

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// It is not JSON.
    Syntax,
    /// It nests deeper than [`JSON_DEPTH_MAX`].
    TooDeep,
}

/// What stood where an object or an array was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// What was asked for; it has been read.
    Wanted,
    /// Null.
    Null,
    /// Something else; it has been skipped.
    Other,
}

/// A value, as far as its reader can use it by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Null.
    Null,
    /// True or false.
    Bool,
    /// The token of a number.
    Number(&'a str),
    /// A text.
    Text(Text<'a>),
    /// An object or an array; it has been skipped.
    Nested,
}

/// A string as it stands in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// What stands between its quotes.
    pub raw: &'a str,
    /// Whether it has escapes, so that it must be decoded.
    pub escaped: bool,
}

impl<'a> Text<'a> {
    /// The text, decoded into `room` where it has escapes; `None` where it does not fit there.
    #[inline]
    pub fn short<'r>(&self, room: &'r mut [u8]) -> Option<&'r str>
    where
        'a: 'r,
    {
        if self.escaped { self.decode(room) } else { Some(self.raw) }
    }

    #[cold]
    fn decode<'r>(&self, room: &'r mut [u8]) -> Option<&'r str> {
        let mut len = 0;
        for c in self.chars() {
            len += c.encode_utf8(room.get_mut(len..len + c.len_utf8())?).len();
        }
        std::str::from_utf8(&room[..len]).ok()
    }

    /// The characters it stands for.
    pub fn chars(&self) -> impl Iterator<Item = char> + use<'a> {
        scan::Decoded::new(self.raw)
    }
}

/// Reads a document from its start to its end; each method reads one value.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Starts before the first value of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Reads an object; `member` is handed each name, decoded, and must read the value that follows it. Names that occur
    /// twice are handed twice.
    ///
    /// # Errors
    /// Where the text is no JSON up to the end of this value, and what `member` returns.
    #[inline]
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), JsonError>,
    ) -> Result<Shape, JsonError> {
        if self.peek() != b'{' {
            return self.unwanted();
        }
        self.open()?;
        if self.peek() == b'}' {
            self.close();
            return Ok(Shape::Wanted);
        }
        loop {
            let (start, end, escaped) = self.key()?;
            let mut room;
            let mut key = &self.text.as_bytes()[start..end];
            if escaped {
                room = [0; ESCAPED_BYTES_MAX];
                let name = Text { raw: &self.text[start..end], escaped };
                // A name that does not fit is none that anybody asks for, and neither is one with a backslash in it.
                key = name.short(&mut room).map_or(key, str::as_bytes);
            }
            member(self, key)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(JsonError::Syntax),
            }
        }
        self.close();
        Ok(Shape::Wanted)
    }

    /// Reads an array; `element` must read one value each time.
    ///
    /// # Errors
    /// Where the text is no JSON up to the end of this value, and what `element` returns.
    #[inline]
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), JsonError>) -> Result<Shape, JsonError> {
        if self.peek() != b'[' {
            return self.unwanted();
        }
        self.open()?;
        if self.peek() == b']' {
            self.close();
            return Ok(Shape::Wanted);
        }
        loop {
            element(self)?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(JsonError::Syntax),
            }
        }
        self.close();
        Ok(Shape::Wanted)
    }

    /// Reads a value of any kind.
    ///
    /// # Errors
    /// Where the text is no JSON up to the end of this value.
    #[inline]
    pub fn value(&mut self) -> Result<Value<'a>, JsonError> {
        match self.peek() {
            b'"' => self.text().map(Value::Text),
            b'-' | b'0'..=b'9' => self.number().map(Value::Number),
            b'n' => self.literal("null").map(|()| Value::Null),
            b't' => self.literal("true").map(|()| Value::Bool),
            b'f' => self.literal("false").map(|()| Value::Bool),
            _ => self.skip().map(|()| Value::Nested),
        }
    }

    /// Reads a value and leaves it out.
    ///
    /// # Errors
    /// Where the text is no JSON up to the end of this value.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        let outside = self.depth;
        // One bit for each open object or array, the innermost lowest: whether it is an object.
        let mut objects: u64 = 0;
        loop {
            let opened = match self.peek() {
                b'"' => {
                    self.string()?;
                    false
                }
                b'-' | b'0'..=b'9' => self.number().map(|_| false)?,
                b'n' => self.literal("null").map(|()| false)?,
                b't' => self.literal("true").map(|()| false)?,
                b'f' => self.literal("false").map(|()| false)?,
                b'{' => {
                    objects = objects << 1 | 1;
                    self.open()?;
                    self.peek() != b'}'
                }
                b'[' => {
                    objects <<= 1;
                    self.open()?;
                    self.peek() != b']'
                }
                _ => return Err(JsonError::Syntax),
            };
            if !opened && self.leave(outside, &mut objects)? {
                return Ok(());
            }
            if objects & 1 == 1 {
                self.key()?;
            }
        }
    }

    /// Goes from the end of a value to the next one, out of every object and array that ends here. Whether the first
    /// one, the value that is skipped, ended.
    #[inline]
    fn leave(&mut self, outside: u32, objects: &mut u64) -> Result<bool, JsonError> {
        while self.depth > outside {
            match (self.peek(), *objects & 1) {
                (b',', _) => {
                    self.at += 1;
                    return Ok(false);
                }
                (b'}', 1) | (b']', 0) => {
                    *objects >>= 1;
                    self.close();
                }
                _ => return Err(JsonError::Syntax),
            }
        }
        Ok(true)
    }

    /// Makes sure that nothing but white space follows.
    ///
    /// # Errors
    /// `Syntax` where something does.
    pub fn end(&mut self) -> Result<(), JsonError> {
        self.peek();
        if self.at == self.text.len() { Ok(()) } else { Err(JsonError::Syntax) }
    }

    #[cold]
    fn unwanted(&mut self) -> Result<Shape, JsonError> {
        let shape = if self.peek() == b'n' { Shape::Null } else { Shape::Other };
        self.skip().map(|()| shape)
    }

    fn open(&mut self) -> Result<(), JsonError> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(JsonError::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }
}

#[cfg(test)]
mod tests;
