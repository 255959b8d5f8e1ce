//! Which advertisers a publisher's block list names. Names form a hierarchy ("shop.example" is under "example",
//! "IAB1-3" under "IAB1"), and blocking one blocks all under it. A request pays for the length of its list, not for
//! the number of campaigns.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::bits;
use super::lists::Lists;

/// Bits of [`Blocklist::present`] a name, so that one in sixteen of the names that are not there is searched for.
const PRESENT_BITS: usize = 16;

/// FNV-1a of a name in any case: names here are short, and on one byte after another no time goes into finding out how
/// short. The bit that is set turns upper case into lower, and what else it makes equal is told apart by comparing.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte | 0x20)).wrapping_mul(0x100_0000_01b3))
}

/// `hash` modulo the number of bits in `present`, a power of two.
fn remainder(hash: u64, present: &[u64]) -> u32 {
    (hash & (present.len() as u64 * 64 - 1)) as u32
}

/// The names that advertisers go by, with all names above them.
#[derive(Debug)]
pub(crate) struct Blocklist {
    /// The set of what hashes of the names are modulo its size: nearly all names that a publisher blocks are nobody's
    /// here, and this says so without a search.
    present: Vec<u64>,
    /// Hashes of the names, ascending.
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
        for name in listed {
            let hash = hash(name);
            if !bits::contains(&self.present, remainder(hash, &self.present)) {
                continue;
            }
            let first = self.hashes.partition_point(|h| *h < hash);
            for at in (first..self.hashes.len()).take_while(|at| self.hashes[*at] == hash) {
                if self.names[at].eq_ignore_ascii_case(name) {
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
                    blocks.entry((hash(name), name)).or_default().push(*group);
                    above = match self.separator {
                        '.' => name.split_once('.').map(|(_, rest)| rest),
                        other => name.rsplit_once(other).map(|(rest, _)| rest),
                    };
                }
            }
        }
        let mut present = vec![0; bits::words(PRESENT_BITS * blocks.len()).next_power_of_two()];
        for (hash, _) in blocks.keys() {
            let remainder = remainder(*hash, &present);
            bits::insert(&mut present, remainder);
        }
        Blocklist {
            present,
            hashes: blocks.keys().map(|(hash, _)| *hash).collect(),
            names: blocks.keys().map(|(_, name)| String::from(*name)).collect(),
            blocks: blocks.into_values().collect(),
            groups: self.groups.len(),
        }
    }
}
