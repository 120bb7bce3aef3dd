#!/usr/bin/env bash
# Fuzzes each target for a while (SECONDS_EACH, a minute if not said), beginning with what stands in events/triage.
# Needs a nightly toolchain and cargo-fuzz. What breaks a target is left in tests/fuzz/artifacts/.
set -euo pipefail
cd "$(dirname "$0")"

if ! rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    echo "fuzz: no nightly toolchain (rustup toolchain install nightly)" >&2
    exit 1
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz: no cargo-fuzz (cargo install cargo-fuzz)" >&2
    exit 1
fi

# Stable does for this: it only reads the events and writes the seeds.
(cd ../.. && cargo run --quiet --locked -p tests --no-default-features --example seeds)
for target in sentence record; do
    cargo +nightly fuzz run --fuzz-dir . "$target" -- -max_total_time="${SECONDS_EACH:-60}" -max_len=8192 -timeout=10
done
