//! Hashes of ids: raw ids are never stored.

use std::hash::Hasher;

use decision::ids::{IdHash, PersonKey};
use siphasher::sip128::{Hasher128, SipHasher24};

/// Makes the keys of profile records from the text of ids: SipHash-2-4 with 128 bits of output
/// (Aumasson and Bernstein, 2012). Whoever knows the key can test guesses of an id, so it is a secret; a new key makes
/// every stored record unreachable.
#[derive(Clone, Copy, Debug)]
pub struct IdHasher(SipHasher24);

impl IdHasher {
    /// A hasher with this secret.
    pub fn new(key: [u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(&key))
    }

    /// The hash of the concatenation of `parts`.
    pub fn hash(&self, parts: &[&str]) -> IdHash {
        let mut hasher = self.0;
        parts.iter().for_each(|part| hasher.write(part.as_bytes()));
        IdHash(hasher.finish128().as_bytes())
    }
}

/// The key of a person of whom nothing is stored: derived from an id's hash, so that experiments treat a stranger the
/// same way each time, and not equal to it, so that streams do not name a record. Fixed forever.
pub fn stranger(id: IdHash) -> PersonKey {
    let mut hasher = SipHasher24::new_with_key(b"vernier stranger");
    hasher.write(&id.0);
    PersonKey(hasher.finish128().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hash: impl std::fmt::Display, expected: &str) {
        assert_eq!(hash.to_string(), expected);
    }

    #[test]
    fn published_vectors() {
        let hasher = IdHasher::new(std::array::from_fn(|i| i as u8));
        let text = |n: u8| String::from_utf8((0..n).collect()).unwrap();
        // From the reference implementation, vectors_sip128: inputs of 0, 1 and 15 bytes.
        check(hasher.hash(&[]), "a3817f04ba25a8e66df67214c7550293");
        check(hasher.hash(&[&text(1)]), "da87c1d86b99af44347659119b22fc45");
        check(hasher.hash(&[&text(15)]), "5493e99933b0a8117e08ec0f97cfc3d9");
    }

    #[test]
    fn parts_are_concatenated() {
        let hasher = IdHasher::new([7; 16]);
        assert_eq!(hasher.hash(&["exchange", ":", "", "some-longer-id"]), hasher.hash(&["exchange:some-longer-id"]));
        assert_ne!(hasher.hash(&["a"]), hasher.hash(&["b"]));
        assert_ne!(hasher.hash(&["a"]), IdHasher::new([8; 16]).hash(&["a"]));
    }

    #[test]
    fn a_strangers_key_never_changes() {
        check(stranger(IdHash([0; 16])), "2868daf8e2644355321dfe83a6126567");
        assert_ne!(stranger(IdHash([1; 16])).0, [1; 16]);
    }
}
