//! Secrets that were not configured: made at the first start, kept in the data directory, readable by its owner only.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bidder::token::{Key, Keys};

use crate::config::{Secrets, sixteen};

/// The secrets in force.
pub(crate) struct InForce {
    /// What seals and opens notice URLs.
    pub(crate) keys: Keys,
    /// What ids are hashed with.
    pub(crate) id_key: [u8; 16],
    /// What seeds decisions.
    pub(crate) seed_key: u64,
}

/// The configured secrets, with those that are missing from `secret-NAME` files in `dir`, which are made where they are
/// not there.
///
/// # Errors
/// Where a file cannot be made or read, or holds something else.
pub(crate) fn in_force(configured: &Secrets, dir: &Path) -> Result<InForce, String> {
    let key = |id: u8, secret: [u8; 16]| Key::new(id, &secret);
    let keys = match *configured.token_keys.as_slice() {
        [] => Keys::new(key(0, kept(dir, "token-key")?), None),
        [(id, secret), ref older @ ..] => {
            Keys::new(key(id, secret), older.first().map(|&(id, secret)| key(id, secret)))
        }
    };
    let id_key = configured.id_key.map_or_else(|| kept(dir, "id-key"), Ok)?;
    let seed = kept(dir, "seed-key")?;
    let seed_key = seed.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Ok(InForce { keys, id_key, seed_key })
}

fn kept(dir: &Path, name: &str) -> Result<[u8; 16], String> {
    let path = dir.join(format!("secret-{name}"));
    let at = |problem: std::io::Error| format!("{}: {problem}", path.display());
    let mut text = String::new();
    match File::open(&path) {
        Ok(mut file) => {
            file.read_to_string(&mut text).map_err(at)?;
            sixteen(text.trim()).ok_or_else(|| format!("{}: is not 32 hexadecimal digits", path.display()))
        }
        Err(problem) if problem.kind() == ErrorKind::NotFound => {
            let secret: [u8; 16] = rand::random();
            let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            // Whole or not there at all, also after a crash: a torn secret would lock everyone out.
            let fresh = dir.join(format!("secret-{name}.new"));
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(at)?;
            writeln!(file, "{digits}").and_then(|()| file.sync_all()).map_err(at)?;
            std::fs::rename(&fresh, &path).map_err(at)?;
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(at)?;
            Ok(secret)
        }
        Err(problem) => Err(at(problem)),
    }
}
