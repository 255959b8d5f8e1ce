#!/bin/sh
# Fuzzes on stable Rust: run.sh SECONDS [TARGET], every target for SECONDS each where none is named. What a run finds of
# interest is kept under target/, what fails under artifacts/; the seeds in corpus/ are not touched.
set -eu
cd "$(dirname "$0")"
seconds=${1:?usage: run.sh SECONDS [TARGET]}
targets=${2:-$(cd fuzz_targets && ls | sed 's/\.rs$//')}
host=$(rustc -vV | sed -n 's/^host: //p')

# The counters that libFuzzer steers by. The sanitizers that cargo-fuzz adds need a nightly compiler; this code has no
# `unsafe` for them to watch.
flags="-Cpasses=sancov-module -Ccodegen-units=1 --cfg fuzzing"
for arg in level=4 inline-8bit-counters pc-table trace-compares; do
    flags="$flags -Cllvm-args=-sanitizer-coverage-$arg"
done
# With a target triple named, the flags reach neither build scripts nor procedural macros.
RUSTFLAGS="$flags" cargo build --release --target "$host" --bins

# Some targets write logs: in memory, where there is such a directory.
if [ -d /dev/shm ]; then
    export TMPDIR="${TMPDIR:-/dev/shm}"
fi
for target in $targets; do
    echo "fuzzing $target"
    mkdir -p "target/corpus/$target" "artifacts/$target" "corpus/$target"
    dict=
    if [ -f "$target.dict" ]; then
        dict="-dict=$target.dict"
    fi
    "target/$host/release/$target" -max_total_time="$seconds" -max_len=8192 -timeout=5 $dict \
        -artifact_prefix="artifacts/$target/" "target/corpus/$target" "corpus/$target"
done
