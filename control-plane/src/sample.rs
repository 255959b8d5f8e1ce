//! The sample advertiser with which a first start has something to buy for.

use crate::problem::SourceFile;

/// The sample campaign files: name and text.
pub const SAMPLE: &[(&str, &str)] = &[
    ("northtrail.yaml", include_str!("../../deploy/sample/northtrail.yaml")),
    ("segments.yaml", include_str!("../../deploy/sample/segments.yaml")),
    ("cart-recovery.yaml", include_str!("../../deploy/sample/cart-recovery.yaml")),
    ("academy.yaml", include_str!("../../deploy/sample/academy.yaml")),
];

/// The sample campaign files, to be applied.
pub fn sample() -> Vec<SourceFile> {
    SAMPLE.iter().map(|(name, text)| SourceFile { name: (*name).to_owned(), text: (*text).to_owned() }).collect()
}
