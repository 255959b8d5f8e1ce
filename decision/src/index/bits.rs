//! Sets of dense numbers as bits in words.

use alloc::vec::Vec;

/// How many words hold `count` bits.
pub(crate) fn words(count: usize) -> usize {
    count.div_ceil(64)
}

/// Puts `number` into the set.
pub(crate) fn insert(set: &mut [u64], number: u32) {
    insert_if(set, number, true);
}

/// Puts `number` into the set where `wanted`, without a branch that could be mispredicted.
pub(crate) fn insert_if(set: &mut [u64], number: u32, wanted: bool) {
    set[number as usize / 64] |= u64::from(wanted) << (number % 64);
}

/// Whether `number` is in the set.
pub(crate) fn contains(set: &[u64], number: u32) -> bool {
    set[number as usize / 64] >> (number % 64) & 1 == 1
}

/// Makes `set` the empty set of numbers below `count`, within its memory where that is enough.
pub(crate) fn reset(set: &mut Vec<u64>, count: usize) {
    set.clear();
    set.resize(words(count), 0);
}

/// The numbers in word number `at` of a set, ascending.
pub(crate) fn ones(at: usize, mut word: u64) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        (word != 0).then(|| {
            let bit = word.trailing_zeros();
            word &= word - 1;
            at as u32 * 64 + bit
        })
    })
}
