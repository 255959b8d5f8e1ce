//! Any body: the bidder reads it exactly where serde_json does, and its view says what an independent walk says.
#![no_main]

#[path = "../../bidder/tests/it/oracle.rs"]
mod oracle;
#[path = "../../bidder/tests/it/view.rs"]
mod view;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let ours = view::read(body, &view::dialect());
    match (ours, oracle::read(body, false, false)) {
        // Deeper than we read; or with a number that a plain JSON value cannot hold.
        (Err("too_deep"), _) | (_, None) => {}
        (Ok(ours), Some(Ok(walked))) => assert!(view::agree(&ours, &walked), "ours   {ours}\nwalked {walked}"),
        (ours, Some(walked)) => assert_eq!(ours, walked),
    }
});
