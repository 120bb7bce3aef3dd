#!/usr/bin/env bash
# Builds the deployed functions for one architecture into .aws-sam/build, as `sam deploy` takes them, and says how large they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
architecture=${1:-x86_64}
case $architecture in
x86_64) target=x86_64-unknown-linux-gnu ;;
arm64) target=aarch64-unknown-linux-gnu ;;
*) echo "package.sh: $architecture is neither x86_64 nor arm64" >&2; exit 2 ;;
esac
if ! [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    echo "package.sh: this toolchain can't build for $architecture: rustup target add $target" >&2
    exit 1
fi
sam build --template template.yaml --parameter-overrides "Architecture=$architecture"
python - .aws-sam/build/*/bootstrap <<'PY'
import io, os, sys, zipfile
for binary in sys.argv[1:]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(binary, "bootstrap")
    name = os.path.basename(os.path.dirname(binary))
    print(f"{name}: binary {os.path.getsize(binary) / 1e6:.1f} MB, zipped {len(packed.getvalue()) / 1e6:.1f} MB")
PY
