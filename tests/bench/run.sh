#!/usr/bin/env bash
# Builds what is deployed and an empty function beside it, then lets bench.py time them against Python doing the same job.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release --locked -p triage --bin triage --example empty
cargo build --quiet --release --locked -p access --example pure_path
python tests/bench/bench.py "$target/release/triage" "$target/release/examples/empty" "$target/release/examples/pure_path"
