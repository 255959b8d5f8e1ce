//! The committed code is what `schema/` generates; `UPDATE_GENERATED=1` writes it anew.

use std::path::Path;

#[test]
fn generated_code_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = root.join("schema");
    let files = ["campaigns", "bids", "notices", "money"].map(|name| format!("vernier/v1/{name}.proto"));
    let descriptors = protox::compile(files, [&schema]).expect("the schemas compile");
    let out = tempfile::tempdir().expect("a directory for the output");
    prost_build::Config::new().out_dir(out.path()).compile_fds(descriptors).expect("code is generated");
    let fresh = std::fs::read_to_string(out.path().join("vernier.v1.rs")).expect("one file for the package");
    let committed = root.join("src/wire/vernier.v1.rs");
    if option_env!("UPDATE_GENERATED").is_some() {
        std::fs::write(&committed, &fresh).expect("the committed code is replaced");
    }
    let old = std::fs::read_to_string(&committed).expect("the committed code");
    assert!(old == fresh, "src/wire/vernier.v1.rs is stale: run UPDATE_GENERATED=1 cargo test -p proto");
}
