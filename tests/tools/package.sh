#!/usr/bin/env bash
# Builds the deployed function for one architecture into .aws-sam/build, as `sam deploy` takes it, and says how large it is.
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
binary=$(find .aws-sam/build -name bootstrap -type f | head -1)
python - "$binary" <<'PY'
import io, os, sys, zipfile
binary = sys.argv[1]
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    archive.write(binary, "bootstrap")
print(f"binary {os.path.getsize(binary) / 1e6:.1f} MB, zipped {len(packed.getvalue()) / 1e6:.1f} MB")
PY
