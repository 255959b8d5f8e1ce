//! Which advertisers a publisher's block list names. Names form a hierarchy ("shop.example" is under "example",
//! "IAB1-3" under "IAB1"), and blocking one blocks all under it. A request pays for the length of its list, not for
//! the number of campaigns.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use xxhash_rust::xxh3::xxh3_64;

use super::bits;
use super::lists::Lists;
use crate::campaign::limits::{DOMAIN_BYTES_MAX, NAME_BYTES_MAX};

/// Longer names cannot be those of an advertiser.
const BYTES_MAX: usize = if DOMAIN_BYTES_MAX > NAME_BYTES_MAX { DOMAIN_BYTES_MAX } else { NAME_BYTES_MAX };

/// The names that advertisers go by, with all names above them.
#[derive(Debug)]
pub(crate) struct Blocklist {
    /// Hashes of the names in lower case, ascending.
    hashes: Vec<u64>,
    /// The names, in the order of `hashes`.
    names: Vec<String>,
    /// By name: the groups of names that it blocks.
    blocks: Lists<u32>,
    groups: usize,
}

impl Blocklist {
    /// A builder for names whose parts are separated by `separator`: a domain's ('.') are ever more special from right
    /// to left, those of all others from left to right.
    pub(crate) fn builder(separator: char) -> Builder {
        Builder { separator, groups: BTreeMap::new() }
    }

    /// Puts the groups that `listed` blocks into `blocked`.
    pub(crate) fn mark(&self, listed: &[&str], blocked: &mut Vec<u64>) {
        bits::reset(blocked, self.groups);
        let mut buffer = [0; BYTES_MAX];
        for name in listed {
            let Some(lower) = buffer.get_mut(..name.len()) else { continue };
            lower.copy_from_slice(name.as_bytes());
            lower.make_ascii_lowercase();
            let hash = xxh3_64(lower);
            let first = self.hashes.partition_point(|h| *h < hash);
            for at in (first..self.hashes.len()).take_while(|at| self.hashes[*at] == hash) {
                if self.names[at].as_bytes() == lower {
                    self.blocks.get(at).iter().for_each(|group| bits::insert(blocked, *group));
                }
            }
        }
    }
}

/// Collects groups of names.
pub(crate) struct Builder {
    separator: char,
    groups: BTreeMap<Vec<String>, u32>,
}

impl Builder {
    /// The number of a group of names: all of one advertiser. Equal groups have one number.
    pub(crate) fn insert<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> u32 {
        let next = self.groups.len() as u32;
        *self.groups.entry(names.into_iter().map(str::to_ascii_lowercase).collect()).or_insert(next)
    }

    pub(crate) fn build(self) -> Blocklist {
        let mut blocks: BTreeMap<(u64, &str), Vec<u32>> = BTreeMap::new();
        for (names, group) in &self.groups {
            for name in names {
                let mut above = Some(name.as_str());
                while let Some(name) = above {
                    blocks.entry((xxh3_64(name.as_bytes()), name)).or_default().push(*group);
                    above = match self.separator {
                        '.' => name.split_once('.').map(|(_, rest)| rest),
                        other => name.rsplit_once(other).map(|(rest, _)| rest),
                    };
                }
            }
        }
        Blocklist {
            hashes: blocks.keys().map(|(hash, _)| *hash).collect(),
            names: blocks.keys().map(|(_, name)| String::from(*name)).collect(),
            blocks: blocks.into_values().collect(),
            groups: self.groups.len(),
        }
    }
}
