//! Where requests begin and end in the bytes of a connection (RFC 9112, sections 2.2, 6 and 7.1).
//!
//! hyper reads the requests; it does not tell when the first byte of a head came, whether another request is already
//! waiting behind this one, nor that a head had both body lengths (it keeps one of them). This follows the same bytes
//! for these three facts and nothing else. Where it cannot follow, hyper refuses the request.

use memchr::memchr;

const CONTENT_LENGTH: &[u8] = b"content-length:";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding:";
/// How much of a line is looked at, so that it makes no difference in which pieces it came: a length or a chunk size with
/// room to spare.
const LINE_BYTES_KEPT: usize = 128;

/// Follows the bytes of one connection.
#[derive(Debug, Default)]
pub struct Framing {
    state: State,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    heads: u64,
    length: Option<u64>,
    chunked: bool,
    /// A length stands too far behind in its line to be read.
    unread: bool,
    first_ambiguous: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first byte of a head. Line ends may come here.
    #[default]
    Between,
    /// In a head.
    Head,
    /// In a body, with so many bytes to come.
    Fixed(u64),
    /// Where a chunk's size stands.
    ChunkSize,
    /// In a chunk, with so many bytes to come, its line end included.
    Chunk(u64),
    /// After the last chunk.
    Trailers,
    /// Not HTTP.
    Lost,
}

impl Framing {
    /// Takes note of the next `bytes` of the connection.
    pub fn follow(&mut self, mut bytes: &[u8]) {
        while let Some(first) = bytes.first() {
            match self.state {
                State::Lost => return,
                State::Between if matches!(first, b'\r' | b'\n') => bytes = &bytes[1..],
                State::Between => self.state = State::Head,
                State::Fixed(left) => {
                    let taken = take(&mut bytes, left);
                    self.state = if taken == left { State::Between } else { State::Fixed(left - taken) };
                }
                State::Chunk(left) => {
                    let taken = take(&mut bytes, left);
                    self.state = if taken == left { State::ChunkSize } else { State::Chunk(left - taken) };
                }
                State::Head | State::ChunkSize | State::Trailers => {
                    let Some(end) = memchr(b'\n', bytes) else { return self.keep(bytes) };
                    let (line, rest) = bytes.split_at(end);
                    bytes = rest.get(1..).unwrap_or_default();
                    self.end_line(line);
                }
            }
        }
    }

    /// Heads that have ended.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether every request that has begun has ended.
    pub fn is_between(&self) -> bool {
        self.state == State::Between
    }

    /// Whether a head has begun and not ended.
    pub fn in_head(&self) -> bool {
        self.state == State::Head
    }

    /// Whether the head with this number (the first is 1) had both `content-length` and `transfer-encoding`, or so much
    /// white space before its length that it was not read. Only the first one is remembered: the connection ends with it.
    pub fn is_ambiguous(&self, head: u64) -> bool {
        self.first_ambiguous == Some(head)
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LINE_BYTES_KEPT.saturating_sub(self.line.len());
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn end_line(&mut self, piece: &[u8]) {
        if self.line.is_empty() {
            return self.on_line(&piece[..piece.len().min(LINE_BYTES_KEPT)]);
        }
        self.keep(piece);
        let mut line = std::mem::take(&mut self.line);
        self.on_line(&line);
        line.clear();
        self.line = line;
    }

    fn on_line(&mut self, line: &[u8]) {
        let cut = line.len() == LINE_BYTES_KEPT;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.state {
            State::Head if line.is_empty() => self.end_head(),
            State::Head => self.on_field(line, cut),
            State::ChunkSize => self.state = chunk_size(line).map_or(State::Lost, State::after_size),
            State::Trailers if line.is_empty() => self.state = State::Between,
            _ => {}
        }
    }

    fn on_field(&mut self, line: &[u8], cut: bool) {
        if begins_with(line, CONTENT_LENGTH) {
            self.unread |= cut;
            let length =
                std::str::from_utf8(&line[CONTENT_LENGTH.len()..]).ok().and_then(|text| text.trim().parse().ok());
            self.length = Some(length.unwrap_or(0));
        } else if begins_with(line, TRANSFER_ENCODING) {
            self.chunked = true;
        }
    }

    fn end_head(&mut self) {
        self.heads += 1;
        let (length, chunked) = (self.length.take(), std::mem::take(&mut self.chunked));
        if std::mem::take(&mut self.unread) || chunked && length.is_some() {
            self.first_ambiguous.get_or_insert(self.heads);
        }
        self.state = match length {
            _ if chunked => State::ChunkSize,
            None | Some(0) => State::Between,
            Some(length) => State::Fixed(length),
        };
    }
}

impl State {
    fn after_size(size: u64) -> Self {
        if size == 0 { Self::Trailers } else { Self::Chunk(size.saturating_add(2)) }
    }
}

fn take(bytes: &mut &[u8], left: u64) -> u64 {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    *bytes = &bytes[taken..];
    taken as u64
}

fn begins_with(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// The size at the start of a chunk's first line; extensions are passed over. None has so many digits that the line is cut.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    if end == LINE_BYTES_KEPT {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(&line[..end]).ok()?, 16).ok()
}

#[cfg(test)]
mod tests;
