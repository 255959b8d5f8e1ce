//! Any body in gzip: what is inflated is what was deflated, and never more than the limit.
#![no_main]

use std::io::{Read, Write};

use bidder::limits::INFLATED_BYTES_MAX;
use bidder::server::{InflateError, inflate};
use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::GzEncoder;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// The bytes as they are in a member whose checksum is right, where they are deflated: no mutation finds checksums.
fn member(deflated: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut decoder = DeflateDecoder::new(deflated).take(INFLATED_BYTES_MAX as u64 + 1);
    let mut plain = Vec::new();
    decoder.read_to_end(&mut plain).ok()?;
    let rest = decoder.into_inner().into_inner();
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    member.extend_from_slice(&deflated[..deflated.len() - rest.len()]);
    member.extend_from_slice(&crc32fast::hash(&plain).to_le_bytes());
    member.extend_from_slice(&(plain.len() as u32).to_le_bytes());
    Some((member, plain))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(plain) = inflate(data) {
        assert!(plain.len() <= INFLATED_BYTES_MAX);
        assert_eq!(inflate(&gzip(&plain)).expect("our own gzip"), plain);
    }
    if let Some((member, plain)) = member(data) {
        let inflated = inflate(&member);
        if plain.len() > INFLATED_BYTES_MAX {
            assert_eq!(inflated, Err(InflateError::TooLarge));
        } else {
            assert_eq!(inflated.expect("a whole member"), plain);
        }
    }
    let packed = gzip(data);
    assert_eq!(inflate(&[packed.as_slice(), &packed].concat()).expect("two members"), [data, data].concat());
    let cut = usize::from(data.first().copied().unwrap_or_default()) % packed.len();
    assert_eq!(inflate(&packed[..cut]), Err(InflateError::NotGzip));
});
