//! `vernier check`: everything that is wrong with files, without starting anything.

use std::path::PathBuf;

use control_plane::Problem;

use crate::config;

/// Checks campaign files together, and each configuration by itself.
pub(crate) fn run(paths: &[PathBuf]) -> Result<(), String> {
    let is_config = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let (configs, campaigns): (Vec<&PathBuf>, Vec<&PathBuf>) = paths.iter().partition(is_config);
    let mut problems = Vec::new();
    for path in &configs {
        problems.extend(config::load(Some(path)).err().into_iter().flatten());
    }
    if !campaigns.is_empty() {
        let campaigns: Vec<PathBuf> = campaigns.into_iter().cloned().collect();
        let read = control_plane::read_paths(&campaigns);
        let check = if read.missing { control_plane::check_part } else { control_plane::check };
        problems.extend(read.problems.iter().chain(&check(&read.files)).map(Problem::to_string));
    }
    if problems.is_empty() {
        println!(
            "no problem in {}",
            paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
        );
        return Ok(());
    }
    Err(problems.join("\n"))
}
