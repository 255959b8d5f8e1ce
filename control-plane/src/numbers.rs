//! The numbers behind names. Each is given out once and never again; a name keeps its number for good.

use std::collections::BTreeMap;

/// Numbers of one kind of thing.
#[derive(Clone, Debug)]
pub(crate) struct Numbering<K> {
    given: BTreeMap<K, u32>,
    last: u32,
}

impl<K> Default for Numbering<K> {
    fn default() -> Self {
        Self { given: BTreeMap::new(), last: 0 }
    }
}

impl<K: Ord> Numbering<K> {
    /// The number of `key`, given out now if it has none.
    pub(crate) fn give(&mut self, key: K) -> u32 {
        let last = &mut self.last;
        *self.given.entry(key).or_insert_with(|| {
            *last = last.checked_add(1).expect("a stream of four billion things does not fit a disk");
            *last
        })
    }

    /// The number of `key`, if it has one.
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<u32>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.given.get(key).copied()
    }

    /// A number that belongs to nothing: for what is refused anyway.
    pub(crate) fn spare(&mut self) -> u32 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// Notes that `key` was given `number` before.
    pub(crate) fn took(&mut self, key: K, number: u32) {
        self.given.insert(key, number);
        self.last = self.last.max(number);
    }

    /// Every key with its number, by key.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, u32)> {
        self.given.iter().map(|(key, number)| (key, *number))
    }

    /// The keys from `first` on, with their numbers, by key.
    pub(crate) fn from(&self, first: K) -> impl Iterator<Item = (&K, u32)> {
        self.given.range(first..).map(|(key, number)| (key, *number))
    }
}

/// The numbers of everything campaigns are made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) advertisers: Numbering<String>,
    pub(crate) segments: Numbering<String>,
    pub(crate) campaigns: Numbering<String>,
    /// By campaign and name.
    pub(crate) creatives: Numbering<(u32, String)>,
    /// By creative and name.
    pub(crate) variants: Numbering<(u32, String)>,
}
