#!/usr/bin/env bash
# `make bench`: builds what is deployed, an empty function beside it and the pure path in three ways, then lets bench.py time them
# against Python doing the same job. The tables are on standard output, everything else on standard error.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
build() { nice cargo build --release --locked "$@" >&2; }

# Each by itself, as it is packaged: built together they would share their features.
build -p triage --bin triage --example empty
build -p decide --bin decide
build -p reconcile --bin reconcile
build -p cli --bin trailpass
build -p access --example pure_path
# Other levels have folders of their own, so that none of these builds undoes another's.
build -p access --example pure_path --target-dir "$target/bench-small" --config 'profile.release.package.access.opt-level="z"'
build -p access --example pure_path --target-dir "$target/bench-fast" --config 'profile.release.opt-level=3'
# The TLS library whose first handshake gathers entropy for tens of milliseconds must not be in it.
aws_lc=$(cargo tree --locked --package triage --edges normal --prefix none | grep -c '^aws-lc' || true)

.tools/bin/python tests/bench/bench.py "$target/release/triage" "$target/release/examples/empty" \
    "$target/release/examples/pure_path" "$target"/bench-{small,fast}/release/examples/pure_path "$aws_lc"
.tools/bin/python tests/bench/grants.py "$target/release/decide" "$target/release/examples/empty" "$target/release/triage" \
    "$target/release/reconcile"
.tools/bin/python tests/bench/scan.py "$target/release/trailpass"
