#!/bin/sh
# Puts the pinned Python tools of requirements.txt into .tools/ of this checkout, and makes them reachable as .tools/bin/NAME.
# Run it as often as you like: it does nothing (and asks no network) while the stamp says that what is there is what is wanted.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
root=$(CDPATH='' cd -- "$here/../.." && pwd -P)
tools=$root/.tools
venv=$tools/python
stamp=$venv/.installed

# make puts .tools/bin first, where python3 is the wrapper of the very environment that is made anew here: not that one.
PATH=$(printf %s "$PATH" | tr ':' '\n' | grep -vxF "$tools/bin" | paste -sd: -)

fail() {
    echo "tests/tools/install.sh: $*" >&2
    exit 1
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null 2>&1 ||
    fail "python3 is missing. The tests' tools need Python 3.10 or newer with its venv module (Debian and Ubuntu: apt-get install -y python3 python3-venv)."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$("$python" --version) is too old: Python 3.10 or newer is needed (another one can be named: PYTHON=python3.12 $0)."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "this Python cannot make virtual environments: its venv module is missing (Debian and Ubuntu: apt-get install -y python3-venv)."

# A virtual environment holds its own path and its interpreter's, so a moved checkout or another Python means a new one.
# Python reckons the sum, since it is the one program that is known to be here by now (sha256sum is not on macOS).
want=$("$python" - "$here" "$venv" <<'PY'
import hashlib, pathlib, sys
here, venv = pathlib.Path(sys.argv[1]), sys.argv[2]
h = hashlib.sha256(f"{venv}\n{sys.version}\n{sys.base_prefix}\n".encode())
for name in ("requirements.txt", "constraints.txt", "install.sh"):
    h.update((here / name).read_bytes())
print(h.hexdigest())
PY
)
# The commands that Trailpass writes are run with jq in the tests. It is no Python package, so it comes from the system.
if ! command -v jq >/dev/null 2>&1; then
    { command -v apt-get >/dev/null 2>&1 && apt-get update -qq && apt-get install -y -qq jq; } >/dev/null 2>&1 ||
        fail "jq is missing and could not be installed (Debian and Ubuntu: sudo apt-get install -y jq; macOS: brew install jq)."
fi

# The pages are looked at in a real browser. Playwright drives the system's: its own would be another 150 MB for each checkout.
if ! command -v chromium >/dev/null 2>&1 && ! command -v chromium-browser >/dev/null 2>&1 && ! command -v google-chrome >/dev/null 2>&1; then
    echo "installing chromium (once)" >&2
    { command -v apt-get >/dev/null 2>&1 && apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 ||
        fail "chromium is missing and could not be installed (Debian and Ubuntu: sudo apt-get install -y chromium)."
fi

current() { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; }

current && exit 0

mkdir -p "$tools/bin"
# Two installations at once (make test beside make package) would tear each other's files out: the second one waits. Where
# there is no flock (macOS), that is left to the caller.
if command -v flock >/dev/null 2>&1; then
    exec 9>"$tools/.lock"
    flock 9
    current && exit 0
fi

echo "installing the tests' tools into .tools/ (once; about two minutes)" >&2
rm -rf "$venv"
"$python" -m venv "$venv" || fail "could not make a virtual environment in .tools/python (Debian and Ubuntu: apt-get install -y python3-venv)."
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --requirement "$here/requirements.txt" --constraint "$here/constraints.txt" ||
    fail "pip could not install the tools (its message stands above). The first installation needs a Python package index; later runs do not."

# The tools by name. A link is enough for a script or a binary; the interpreter finds its environment beside the path that
# it was called by, so it gets a wrapper (cargo-lambda, too, looks for `python3 -m ziglang` on the PATH).
for tool in sam cfn-lint moto_server cargo-lambda parliament; do
    [ -x "$venv/bin/$tool" ] || fail "$tool was not installed, though pip reported no error."
    ln -sf "../python/bin/$tool" "$tools/bin/$tool"
done
for name in python python3; do
    rm -f "$tools/bin/$name"
    cat >"$tools/bin/$name" <<'WRAPPER'
#!/bin/sh
exec "$(dirname -- "$0")/../python/bin/python" "$@"
WRAPPER
    chmod +x "$tools/bin/$name"
done

printf '%s\n' "$want" >"$stamp"
