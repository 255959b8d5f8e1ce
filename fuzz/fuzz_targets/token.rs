//! Any token: what we did not seal never opens, and what was sealed opens for its kind of notice only and says the same
//! when it is sealed again.
#![no_main]

use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes128GcmSiv, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bidder::limits::TOKEN_IMP_ID_BYTES_MAX;
use bidder::token::{Claims, Key, Keys, NoticeKind};
use decision::time::Micros;

const SECRET: [u8; 16] = [7; 16];
const NOW: Micros = Micros(1_800_000_000_000_000);
const KEY: u8 = 2;

/// The token of version 1 of any plain bytes, as whoever has the key could seal it: without that no mutation gets past the
/// cipher.
fn sealed(kind: NoticeKind, plain: &[u8]) -> String {
    let mut body = plain.to_vec();
    // Kinds are numbered from 1 in the order of the list.
    let aad = [1, KEY, kind as u8 + 1];
    let cipher = Aes128GcmSiv::new(&SECRET.into());
    let tag = cipher.encrypt_inout_detached(&Nonce::default(), &aad, body.as_mut_slice().into()).expect("it is short");
    URL_SAFE_NO_PAD.encode([&[1, KEY], Nonce::default().as_slice(), &body, &tag].concat())
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&choice, plain)) = data.split_first() else { return };
    let kind = NoticeKind::ALL[usize::from(choice) % NoticeKind::ALL.len()];
    let keys = Keys::new(Key::new(KEY, &SECRET), None);
    if let Ok(text) = std::str::from_utf8(plain) {
        assert!(keys.open(kind, text, NOW).is_err(), "a forged token opens");
        // Of the version that is written, with our key's number.
        assert!(keys.open(kind, &format!("AgIA{text}"), NOW).is_err(), "a forged token opens");
    }
    let Ok((opened, expired)) = keys.open(kind, &sealed(kind, plain), NOW) else { return };
    let claims = opened.claims();
    assert_eq!(expired, NOW > claims.expires_at);
    let mut token = String::new();
    keys.seal(&claims).token(kind, &mut token);
    for other in NoticeKind::ALL {
        assert_eq!(keys.open(other, &token, NOW).is_ok(), other == kind, "{other:?}");
    }
    let (again, _) = keys.open(kind, &token, NOW).expect("a token of ours");
    let imp_id = if claims.imp_id.len() > TOKEN_IMP_ID_BYTES_MAX { "" } else { claims.imp_id };
    let landing_url = if kind == NoticeKind::Click { claims.landing_url } else { "" };
    assert_eq!(again.claims(), Claims { imp_id, landing_url, ..claims });
    // One bit of it is another.
    let mut altered = token.into_bytes();
    let at = usize::from(choice) % altered.len();
    altered[at] ^= 1;
    let altered = String::from_utf8(altered).expect("a token is ASCII");
    assert!(keys.open(kind, &altered, NOW).is_err(), "an altered token opens");
});
