"""Times triage side by side with an empty function and with Python, and prints tables for the README.

All three are driven by one stub of Lambda's runtime API and write to one emulator. They are started in turn, round by round, and a
ratio is the median of the rounds' ratios, so that whatever else the machine does falls on all alike. The processor time stands beside
the time that passed, because it hardly depends on a busy machine or on the emulator. Nothing is asserted of a time: a number
is for reading. It fails only where something could not be measured, a denial that did not become a notice included. Linux only.
"""
import io
import json
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile

import boto3

from runtime_stub import RuntimeStub

ROUNDS, WARM = 20, 5
PATIENCE = 120
ROOT = pathlib.Path(__file__).resolve().parents[2]
EVENT = (ROOT / "events/triage/mateojackson-with-reason.json").read_text()
# The interpreter itself: the wrapper in .tools/bin would be charged to Python.
PYTHON = ROOT / ".tools/python/bin/python"
NAMES = ("triage", "empty", "Python")


class Unmeasured(Exception):
    """Why there is no number."""


def batch():
    """One denial as SQS hands it over. User, account and event are new each time: otherwise it would join the last one's case."""
    name = uuid.uuid4().hex[:12]
    event = json.loads(EVENT)
    principal, account = event["detail"]["userIdentity"]["principalId"], event["account"]
    text = json.dumps(event).replace(account, f"{uuid.uuid4().int % 10**12:012d}")
    text = text.replace("mateojackson", f"user-{name}").replace(principal, f"AIDA{name.upper()}")
    event = json.loads(text)
    event["detail"]["eventID"] = str(uuid.uuid4())
    return {"Records": [{
        "messageId": str(uuid.uuid4()), "receiptHandle": "x", "body": json.dumps(event), "attributes": {}, "messageAttributes": {},
        "md5OfBody": "x", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:q", "awsRegion": "eu-west-1",
    }]}


def is_whole(answer):
    """Whether no message of a batch has to come again."""
    return b"itemIdentifier" not in answer


class Function:
    """A started function. `cold` is the time from its exec to its first request for work, `cold_cpu` what it worked in that time."""

    def __init__(self, name, command, environment, log):
        self.name, self.log = name, log
        self.stub = RuntimeStub()
        environment = {
            **environment, "AWS_LAMBDA_RUNTIME_API": self.stub.address, "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench", "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        }
        stamps, stamp = os.pipe()
        # The clock is read in the child, as the last thing before exec: making the process is no part of a cold start.
        self.process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, close_fds=False,
            preexec_fn=lambda: os.write(stamp, struct.pack("dd", time.perf_counter(), time.process_time())))
        begun, spent = struct.unpack("dd", os.read(stamps, 16))
        os.close(stamps), os.close(stamp)
        try:
            self.waiting = self.asks()
            self.cold, self.cold_cpu = self.waiting.at - begun, self.cpu() - spent
        except BaseException:
            self.end()
            raise

    def asks(self):
        try:
            return self.stub.asks(PATIENCE, lambda: self.process.poll() is None)
        except RuntimeError as why:
            self.log.seek(0)
            raise Unmeasured(f"{self.name}: {why}. It said:\n{self.log.read()[-2000:]}") from why

    def cpu(self):
        """Seconds that its threads have worked."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def invoke(self, event, is_done):
        """One event: the time until its answer, and the processor time until the function wants the next."""
        before, begun = self.cpu(), self.stub.hand_out(self.waiting, event)
        answer = self.asks()
        if not answer.path.endswith("/response") or not is_done(answer.body):
            raise Unmeasured(f"{self.name} answered {answer.path}: {answer.body.decode(errors='replace')[:2000]}")
        self.stub.take(answer)
        self.waiting = self.asks()
        return answer.at - begun, self.cpu() - before

    def memory(self):
        """The peak, in bytes. (ru_maxrss would be wrong: it remembers what the process was before exec.)"""
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1]) * 1024

    def end(self):
        self.process.kill()
        self.process.wait()
        self.stub.close()


class Emulator:
    """moto_server on a port that the system chose, with the table and the topic; ended with the block."""

    def __init__(self, folder):
        self.path = folder / "emulator.log"

    def __enter__(self):
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-west-1",
                "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
                "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        # Whoever runs this may have credentials of a real account lying around. They are not for here.
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(keys)
        with self.path.open("w") as log:
            command = [ROOT / ".tools/bin/moto_server", "-H", "127.0.0.1", "-p", "0"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        try:
            endpoint = self.started()
            boto3.client("dynamodb", endpoint_url=endpoint).create_table(
                TableName="bench", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
            topic = boto3.client("sns", endpoint_url=endpoint).create_topic(Name="bench")["TopicArn"]
        except BaseException:
            self.__exit__()
            raise
        self.environment = {**keys, "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": endpoint, "TRAILPASS_TABLE": "bench",
                            "TRAILPASS_NOTICES_TOPIC": topic, "TRAILPASS_ALARMS_TOPIC": topic}
        return self

    def started(self):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            if found := re.search(r"http://127\.0\.0\.1:\d+", self.path.read_text()):
                return found[0]
            time.sleep(0.1)
        raise Unmeasured("moto_server did not start:\n" + self.path.read_text()[-2000:])

    def calls(self):
        """How many requests it has had."""
        return len(re.findall(r'"POST / ', self.path.read_text()))

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def time_functions(commands, folder):
    """All that is measured by running: a list for each measure and function, in the order of the rounds."""
    measures = {of: {name: [] for name in commands} for of in ("cold", "cold_cpu", "first", "warm", "warm_cpu", "memory", "calls")}

    def put(of, name, value):
        measures[of][name].append(value)

    with Emulator(folder) as emulator:
        for turn in range(ROUNDS + 1):
            # The order moves on with each round, so that nobody always runs in another's wake.
            for name in NAMES[turn % 3:] + NAMES[:turn % 3]:
                with (folder / f"{name}.log").open("w+") as log:
                    function = Function(name, commands[name], emulator.environment, log)
                    try:
                        calls = emulator.calls()
                        first, _ = function.invoke(batch(), is_whole)
                        calls = emulator.calls() - calls
                        warm = [function.invoke(batch(), is_whole) for _ in range(WARM)]
                        memory = function.memory()
                    finally:
                        function.end()
                    log.seek(0)
                    if name == "triage" and (posted := log.read().count('"Posted":1,')) != 1 + WARM:
                        log.seek(0)
                        raise Unmeasured(f"triage posted {posted} of {1 + WARM} notices. It said:\n{log.read()[-2000:]}")
                if turn == 0:
                    # The first round only brings files into memory.
                    continue
                put("cold", name, function.cold * 1e3)
                put("cold_cpu", name, function.cold_cpu * 1e3)
                put("first", name, first * 1e3)
                measures["warm"][name] += [passed * 1e3 for passed, _ in warm]
                measures["warm_cpu"][name] += [worked * 1e3 for _, worked in warm]
                put("memory", name, memory / 1e6)
                put("calls", name, calls)
    return measures


def zipped(binary):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(binary, "bootstrap")
    return len(packed.getvalue()) / 1e6


def spread(values):
    """Median, and from the least to the most."""
    digits = 2 if statistics.median(values) < 10 else 1
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def ratio(above, below):
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def rate_pure_path(programs, folder):
    """For each build of the program, each stage's times in microseconds; and the lengths of the record and its notice."""
    record = folder / "record.json"
    # As EventBridge sends it: without the line breaks that make the sample readable.
    record.write_text(json.dumps(json.loads(EVENT), separators=(",", ":"), ensure_ascii=False))
    stages = {}
    # Built in three ways and run in turn, three times over.
    for _ in range(3):
        for name, program in programs.items():
            ran = subprocess.run([program, record], capture_output=True, text=True)
            if ran.returncode != 0:
                raise Unmeasured(f"{program}: {ran.stderr}")
            told = json.loads(ran.stdout)
            for stage, times in told["microseconds"].items():
                stages.setdefault(name, {}).setdefault(stage, []).extend(times)
    return stages, told["record_bytes"], told["notice_bytes"]


def main(triage, empty, packaged, small, fast, aws_lc):
    commands = {"triage": [triage], "empty": [empty], "Python": [PYTHON, ROOT / "tests/bench/peer.py"]}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        programs = {"as packaged (opt-level z, `access` 3)": packaged, "everything opt-level z": small, "everything opt-level 3": fast}
        pure, record_bytes, notice_bytes = rate_pure_path(programs, folder)
        measured = time_functions(commands, folder)
    sizes = {name: (os.path.getsize(path) / 1e6, zipped(path)) for name, path in (("triage", triage), ("empty", empty))}

    print(f"Median (least–most) of {ROUNDS} cold starts each and {ROUNDS * WARM} warm responses each, interleaved; MB is 10⁶ bytes.\n")
    print("| | triage | empty function | Python + boto3 | triage / empty | Python / triage |")
    print("|---|---|---|---|---|---|")
    for of, words in (("cold", "cold start, exec to the first request for work, ms"), ("cold_cpu", "… processor time of it, ms"),
                      ("first", "first response, ms"), ("warm", "warm response, ms"),
                      ("warm_cpu", "… processor time of it, ms"), ("memory", "peak memory, MB")):
        triage_s, empty_s, python_s = (measured[of][name] for name in NAMES)
        print(f"| {words} | {spread(triage_s)} | {spread(empty_s)} | {spread(python_s)} "
              f"| {ratio(triage_s, empty_s):.2f} | {ratio(python_s, triage_s):.1f} |")
    of = measured["calls"]
    print("| calls to AWS for one denial | " + " | ".join(f"{statistics.median(of[name]):.0f}" for name in NAMES) + " | | |")
    for at, words in ((0, "binary, MB"), (1, "binary, zipped, MB")):
        print(f"| {words} | {sizes['triage'][at]:.2f} | {sizes['empty'][at]:.2f} | | {sizes['triage'][at] / sizes['empty'][at]:.1f} | |")
    print(f"\nThe pure path on one core, {record_bytes} bytes of record in, a notice of {notice_bytes} bytes out, µs:\n")
    print("| built | in all | read | diagnose | write |\n|---|---|---|---|---|")
    for build, stages in pure.items():
        print(f"| {build} | " + " | ".join(spread(stages[stage]) for stage in ("all", "read", "diagnose", "write")) + " |")

    cold = measured["cold"]
    whole = statistics.median(pure["as packaged (opt-level z, `access` 3)"]["all"])
    memory = max(measured["memory"]["triage"])
    to_empty, to_python = ratio(cold["triage"], cold["empty"]), ratio(cold["Python"], cold["triage"])
    zip_size = sizes["triage"][1]
    aims = (
        ("cold start within twice the empty function's", f"{to_empty:.2f} times", to_empty <= 2),
        ("cold start at most a sixtieth of Python's", f"1/{to_python:.0f}", to_python >= 60),
        ("memory under 10 MB", f"{memory:.1f} MB at most", memory < 10),
        ("zip under 3 MB", f"{zip_size:.2f} MB", zip_size < 3),
        ("pure path under 20 µs, as packaged", f"{whole:.1f} µs", whole < 20),
        ("first handshake without aws-lc", f"{aws_lc} crates of it", aws_lc == "0"),
    )
    print("\n| aim | measured | |\n|---|---|---|")
    for words, found, met in aims:
        print(f"| {words} | {found} | {'met' if met else 'missed'} |")


if __name__ == "__main__":
    try:
        main(*(pathlib.Path(path).resolve() for path in sys.argv[1:6]), sys.argv[6])
    except Unmeasured as why:
        sys.exit(f"bench.py: {why}")
