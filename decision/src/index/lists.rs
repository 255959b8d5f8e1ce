//! Many short lists in one vector, so that what is read together lies together.

use alloc::vec::Vec;
use core::ops::Range;

/// One of many lists in a vector: from `start` until before `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Adds a list to those in `all`.
    pub(crate) fn append<T>(all: &mut Vec<T>, list: impl IntoIterator<Item = T>) -> Self {
        let start = all.len() as u32;
        all.extend(list);
        Self { start, end: u32::try_from(all.len()).expect("an index has fewer than 2^32 items of a kind") }
    }

    /// Whether nothing is in the list.
    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The places of the list in its vector.
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Lists by dense number.
#[derive(Clone, Debug)]
pub(crate) struct Lists<T> {
    ends: Vec<u32>,
    items: Vec<T>,
}

impl<T> Lists<T> {
    /// No lists.
    pub(crate) const fn new() -> Self {
        Self { ends: Vec::new(), items: Vec::new() }
    }

    /// Adds a list after the others.
    pub(crate) fn push(&mut self, list: impl IntoIterator<Item = T>) {
        self.items.extend(list);
        self.ends.push(u32::try_from(self.items.len()).expect("an index has fewer than 2^32 items of a kind"));
    }

    /// How many lists there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Drops all lists and keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.ends.clear();
        self.items.clear();
    }

    /// List number `at`.
    pub(crate) fn get(&self, at: usize) -> &[T] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.items[start..self.ends[at] as usize]
    }
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, L: IntoIterator<Item = T>> FromIterator<L> for Lists<T> {
    fn from_iter<I: IntoIterator<Item = L>>(lists: I) -> Self {
        let mut all = Self::new();
        lists.into_iter().for_each(|list| all.push(list));
        all
    }
}
