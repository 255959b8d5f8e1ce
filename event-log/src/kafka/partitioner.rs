//! Which partition a key is in: the one it is the number of, or what Kafka's own Java client does, so that others who write
//! to a stream agree.

use crate::stream::Partition;

/// Where `key` is, of so many partitions (`BuiltInPartitioner.partitionForKey`).
pub(super) fn partition_of(key: &[u8], partitions: u32) -> Partition {
    Partition((murmur2(key) & 0x7fff_ffff) % partitions)
}

/// The partition whose number `key` is, of so many; `None`: it is no such number.
pub(super) fn numbered(key: &[u8], partitions: u32) -> Option<Partition> {
    let number = str::from_utf8(key).ok()?.parse().ok()?;
    (number < partitions).then_some(Partition(number))
}

/// `MurmurHash2` by Austin Appleby with the seed of Kafka (`Utils.murmur2`).
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut hash = 0x9747_b28c ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| tail << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's `UtilsTest.testMurmur2`.
    #[test]
    fn keys_are_where_other_clients_look_for_them() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        assert_eq!(partition_of(b"foobar", 1), Partition(0));
        assert_eq!(partition_of(b"foobar", 8), Partition((-790_332_482_i32 & 0x7fff_ffff) as u32 % 8));
    }

    #[test]
    fn numbers_are_their_own_partitions() {
        for (key, partition) in [("0", Some(0)), ("2", Some(2)), ("3", None), ("-1", None), ("", None), ("key", None)] {
            assert_eq!(numbered(key.as_bytes(), 3), partition.map(Partition), "{key}");
        }
    }
}
