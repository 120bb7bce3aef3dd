"""Times `trailpass scan` on 500 MB of logs against what else there is: `scan.py TRAILPASS`. Prints a table for the README.

All read the same files, one round after the other, so that whatever slows the machine down slows all of them: libdeflate-gunzip, which only
unpacks (one process for all files, and one for each), a loop in Python, and igzip into jq. Medians of interleaved rounds. Linux only.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from logs import Logs

MEGABYTES, ROUNDS = 500, 7
PYTHON = """
import gzip, json, sys, collections
denied = collections.Counter()
for name in sys.argv[1:]:
    with gzip.open(name) as file:
        for record in json.load(file)["Records"]:
            if str(record.get("errorCode", "")).startswith("AccessDenied") and record["eventSource"] == "cloudtrail.amazonaws.com":
                denied[record["userIdentity"]["arn"], record["eventName"]] += 1
print(sum(denied.values()))
"""
JQ = '[.Records[] | select(.errorCode == "AccessDenied" and .eventSource == "cloudtrail.amazonaws.com")] | length'


def timed(command, **options):
    """Seconds, and the most memory that its process was seen to take (KiB): the kernel's own count begins with the parent's."""
    start, peak = time.monotonic(), 0
    process = subprocess.Popen(command, **options)
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            status = ""
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.002)
    assert process.returncode == 0, command
    return time.monotonic() - start, peak


def needed(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        sys.exit(f"missing: {', '.join(missing)} (Debian and Ubuntu: apt-get install -y libdeflate-tools isal jq)")


def main():
    trailpass = sys.argv[1]
    needed("libdeflate-gunzip", "igzip", "jq")
    with tempfile.TemporaryDirectory(prefix="trailpass-bench-") as folder:
        Logs().write(pathlib.Path(folder), MEGABYTES)
        files = sorted(str(path) for path in pathlib.Path(folder).rglob("*.gz"))
        packed = sum(os.path.getsize(file) for file in files)
        counted = json.loads(subprocess.run([trailpass, "scan", "--format", "json", folder], check=True, capture_output=True).stdout.split(b"\n")[0])
        each = 'for file in "$@"; do libdeflate-gunzip -k -c "$file"; done'
        ways = {
            "trailpass scan": [trailpass, "scan", folder],
            "libdeflate-gunzip, one process": ["libdeflate-gunzip", "-k", "-c", *files],
            "libdeflate-gunzip, one for each file": ["bash", "-c", each, "bash", *files],
            "Python, json": [sys.executable, "-c", PYTHON, *files],
            "igzip and jq": ["bash", "-c", 'set -o pipefail; igzip -d -c "$@" | jq -c "$0"', JQ, *files],
        }
        times, memory = {name: [] for name in ways}, {}
        for _ in range(ROUNDS):
            for name, command in ways.items():
                seconds, peak = timed(command, stdout=subprocess.DEVNULL)
                times[name].append(seconds)
                memory[name] = max(memory.get(name, 0), peak)
    ours = statistics.median(times["trailpass scan"])
    print(f"{len(files)} files, {packed / 1e6:.0f} MB packed, {MEGABYTES} MB unpacked, {counted['records']:,} records, {counted['denials']:,} denials about CloudTrail\n")
    print("| | median | least | against scan | peak memory |\n|---|---|---|---|---|")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| {name} | {median:.2f} s | {min(seconds):.2f} s | {median / ours:.1f} × | {memory[name] / 1024:.0f} MB |")


if __name__ == "__main__":
    main()
