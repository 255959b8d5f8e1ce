//! The committed code, descriptors and tables are what `schema/` generates; `UPDATE_GENERATED=1` writes them anew.

use std::path::Path;

use prost_reflect::DescriptorPool;
use protox::Compiler;

mod tables;

#[test]
fn generated_files_are_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = root.join("schema");
    let files = ["campaigns", "bids", "notices", "money", "snapshots"].map(|name| format!("vernier/v1/{name}.proto"));
    let documented = protox::compile(&files, [&schema]).expect("the schemas compile");
    let mut compiler = Compiler::new([&schema]).expect("the schemas are there");
    let bare = compiler.include_imports(true).open_files(&files).expect("the schemas compile");
    check(&root.join("src/wire/vernier.v1.bin"), &bare.encode_file_descriptor_set());

    let out = tempfile::tempdir().expect("a directory for the output");
    let mut config = prost_build::Config::new();
    // It is rare, and much larger than what else may stand in the place of a correction.
    config.boxed(".vernier.v1.Correction.original");
    config.out_dir(out.path()).compile_fds(documented).expect("code is generated");
    let code = std::fs::read(out.path().join("vernier.v1.rs")).expect("one file for the package");
    check(&root.join("src/wire/vernier.v1.rs"), &code);

    let documented = compiler.include_source_info(true).open_files(&files).expect("the schemas compile");
    let pool = DescriptorPool::decode(documented.encode_file_descriptor_set().as_slice()).expect("descriptors");
    let readme = std::fs::read_to_string(schema.join("README.md")).expect("the analyst's page");
    let (prose, _) = readme.split_once(tables::MARKER).expect("the page has a place for the tables");
    check(&schema.join("README.md"), format!("{prose}{}{}", tables::MARKER, tables::of(&pool)).as_bytes());
}

fn check(committed: &Path, fresh: &[u8]) {
    if option_env!("UPDATE_GENERATED").is_some() {
        std::fs::write(committed, fresh).expect("the committed file is replaced");
    }
    let old = std::fs::read(committed).expect("the committed file");
    assert!(old == fresh, "{} is stale: run UPDATE_GENERATED=1 cargo test --release -p proto", committed.display());
}
