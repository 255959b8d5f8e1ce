//! Sealing and opening.

use std::hash::Hasher;

use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes128GcmSiv, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use decision::ids::ImpressionId;
use decision::time::Micros;
use siphasher::sip128::{Hasher128, SipHasher24};

use super::claims::{self, More};
use super::{Claims, Forged, NONCE_BYTES, NoticeKind, Opened};
use crate::limits::TOKEN_BYTES_MAX;

const HEAD_BYTES: usize = 2;
const TAG_BYTES: usize = 16;
const SEALED_BYTES_MIN: usize = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;
/// A mark, in base64url.
const MARK_CHARS: usize = 22;
/// Room for what is sealed of most bids, in bytes.
const SEALED_BYTES: usize = 256;

/// One key and the number by which tokens name it.
#[derive(Clone)]
pub struct Key {
    id: u8,
    cipher: Aes128GcmSiv,
    marks: SipHasher24,
}

impl Key {
    /// A key of 16 secret bytes.
    ///
    /// # Panics
    /// Never: 16 bytes can be encrypted.
    pub fn new(id: u8, secret: &[u8; 16]) -> Self {
        let cipher = Aes128GcmSiv::new(secret.into());
        // The key of marks is what the cipher makes of zeros, under associated data that no token has.
        let mut key = [0; 16];
        let made = cipher.encrypt_inout_detached(&Nonce::default(), b"vernier marks", key.as_mut_slice().into());
        made.expect("sixteen bytes are below the mode's limit");
        Self { id, cipher, marks: SipHasher24::new_with_key(&key) }
    }

    /// The hash of what the marks of one bid have in common. `bytes` are what is sealed, from the version to the tag.
    fn marks_of(&self, bytes: &[u8]) -> SipHasher24 {
        let mut marks = self.marks;
        let (head, tag) = (&bytes[..HEAD_BYTES + NONCE_BYTES], &bytes[bytes.len() - TAG_BYTES..]);
        marks.write(head);
        marks.write(tag);
        marks
    }
}

/// The mark of a token for a notice of `kind`.
fn mark(mut marks: SipHasher24, kind: NoticeKind, landing_url: &str) -> [u8; 16] {
    marks.write(&[kind.code()]);
    marks.write(landing_url.as_bytes());
    marks.finish128().as_bytes()
}

impl std::fmt::Debug for Key {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// The keys in use: the current one seals; the previous one still opens, so that keys can be changed without losing a
/// notice.
#[derive(Clone, Debug)]
pub struct Keys {
    current: Key,
    previous: Option<Key>,
}

/// What a bid says of itself, sealed: its token but for the kind of notice. Without `Debug`, since the hash would show the
/// key.
pub struct Sealed<'a> {
    text: String,
    marks: SipHasher24,
    landing_url: &'a str,
}

impl Sealed<'_> {
    /// Appends the token for a notice of `kind` to `url`.
    pub fn token(&self, kind: NoticeKind, url: &mut String) {
        let landing_url = if kind == NoticeKind::Click { self.landing_url } else { "" };
        url.push_str(&self.text);
        URL_SAFE_NO_PAD.encode_string(mark(self.marks, kind, landing_url), url);
        if !landing_url.is_empty() {
            url.push('.');
            URL_SAFE_NO_PAD.encode_string(landing_url, url);
        }
    }
}

impl Keys {
    /// Seals with `current` and opens with both.
    pub fn new(current: Key, previous: Option<Key>) -> Self {
        Self { current, previous }
    }

    /// Seals what a bid says of itself.
    ///
    /// # Panics
    /// Never: claims are far shorter than the cipher allows.
    pub fn seal<'a>(&self, claims: &Claims<'a>) -> Sealed<'a> {
        let key = &self.current;
        let more = More::of(claims);
        let head = [more.version(), key.id];
        let mut bytes = Vec::with_capacity(SEALED_BYTES);
        bytes.extend_from_slice(&head);
        let nonce = nonce(&claims.impression.0);
        bytes.extend_from_slice(&nonce);
        let start = bytes.len();
        claims::write(claims, &mut bytes);
        more.write(&mut bytes);
        let body = &mut bytes[start..];
        let tag = key.cipher.encrypt_inout_detached(&nonce, &head, body.into());
        bytes.extend_from_slice(&tag.expect("a token is far below the mode's limit of 2^36 bytes"));
        let (text, marks) = (URL_SAFE_NO_PAD.encode(&bytes), key.marks_of(&bytes));
        Sealed { text, marks, landing_url: claims.landing_url }
    }

    /// Opens a token for a notice of `kind` that arrived at `now`, and says whether its time is over.
    ///
    /// # Errors
    /// [`Forged`] where the token is not one of ours for this kind.
    pub fn open(&self, kind: NoticeKind, token: &str, now: Micros) -> Result<(Opened, bool), Forged> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Forged);
        }
        // Four characters are three bytes.
        let [version, key_id, _] = *decode(token.get(..4).ok_or(Forged)?)? else { return Err(Forged) };
        let key = [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find(|key| key.id == key_id);
        let key = key.ok_or(Forged)?;
        let opened = match version {
            1 => key.open_v1(kind, token)?,
            _ => key.open_marked(kind, token, version)?,
        };
        let expired = now > opened.claims().expires_at;
        Ok((opened, expired))
    }
}

impl Key {
    fn open_v1(&self, kind: NoticeKind, token: &str) -> Result<Opened, Forged> {
        let (impression, plain) = self.unseal(decode(token)?, &[1, self.id, kind.code()])?;
        let (_, rest) = claims::read(impression, &plain).ok_or(Forged)?;
        let landing_url = claims::landing_url(rest).ok_or(Forged)?.to_owned();
        Ok(Opened { plain, impression, landing_url, more: More::default() })
    }

    /// Opens a token of version 2 or later.
    fn open_marked(&self, kind: NoticeKind, token: &str, version: u8) -> Result<Opened, Forged> {
        let (marked, landing) =
            token.split_once('.').map_or((token, None), |(marked, landing)| (marked, Some(landing)));
        let landing_url = match landing {
            // It is there only where it says something.
            Some("") => return Err(Forged),
            Some(landing) => String::from_utf8(decode(landing)?).map_err(|_| Forged)?,
            None => String::new(),
        };
        let at = marked.len().checked_sub(MARK_CHARS).ok_or(Forged)?;
        let (sealed, mark) = marked.split_at_checked(at).ok_or(Forged)?;
        let (sealed, mark) = (decode(sealed)?, decode(mark)?);
        let mark = u128::from_le_bytes(mark.try_into().map_err(|_| Forged)?);
        // Numbers are compared at once, so the time says nothing of where they differ.
        if sealed.len() < SEALED_BYTES_MIN
            || u128::from_le_bytes(self::mark(self.marks_of(&sealed), kind, &landing_url)) != mark
        {
            return Err(Forged);
        }
        let (impression, plain) = self.unseal(sealed, &[version, self.id])?;
        let (_, rest) = claims::read(impression, &plain).ok_or(Forged)?;
        let more = More::read(version, rest).ok_or(Forged)?;
        Ok(Opened { plain, impression, landing_url, more })
    }

    /// The impression id and the plain bytes of what was sealed with this associated data.
    fn unseal(&self, mut sealed: Vec<u8>, aad: &[u8]) -> Result<(ImpressionId, Vec<u8>), Forged> {
        if sealed.len() < SEALED_BYTES_MIN {
            return Err(Forged);
        }
        let nonce = nonce(&sealed[HEAD_BYTES..]);
        let mut plain = sealed.split_off(HEAD_BYTES + NONCE_BYTES);
        self.cipher.decrypt_in_place(&nonce, aad, &mut plain).map_err(|_| Forged)?;
        let rest = plain.first_chunk::<{ 16 - NONCE_BYTES }>().ok_or(Forged)?;
        let mut impression = ImpressionId::default();
        impression.0[..NONCE_BYTES].copy_from_slice(&nonce);
        impression.0[NONCE_BYTES..].copy_from_slice(rest);
        Ok((impression, plain))
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Forged> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Forged)
}

fn nonce(bytes: &[u8]) -> Nonce {
    let mut nonce = Nonce::default();
    nonce.copy_from_slice(&bytes[..NONCE_BYTES]);
    nonce
}
