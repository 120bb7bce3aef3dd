#!/usr/bin/env bash
# Fuzzes each target for a while (SECONDS_EACH, a minute if not said), beginning with what stands in events/triage. `make fuzz`
# installs cargo-fuzz first. What breaks a target is left in tests/fuzz/artifacts/.
set -euo pipefail
cd "$(dirname "$0")"

(cd ../.. && cargo run --quiet --locked -p tests --no-default-features --example seeds)
# The sanitizer is asked for by unstable flags, which the pinned toolchain takes in this mode: no second toolchain is needed.
export RUSTC_BOOTSTRAP=1
for target in sentence record; do
    cargo fuzz run --fuzz-dir . "$target" -- -max_total_time="${SECONDS_EACH:-60}" -max_len=8192 -timeout=10 -print_final_stats=1
done
