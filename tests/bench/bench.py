"""Times triage side by side with an empty function and with Python, and prints a table for the README.

All three are driven by one small stub of Lambda's runtime API and write to one emulator, in turn, so that whatever else the
machine does falls on all alike. Nothing is asserted: a number is for reading. Times are medians of interleaved runs.
"""
import http.server
import io
import json
import os
import pathlib
import queue
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile

COLD, WARM = 15, 40
ROOT = pathlib.Path(__file__).resolve().parents[2]
EVENT = json.loads((ROOT / "events/triage/mateojackson-with-reason.json").read_text())


class Runtime(http.server.ThreadingHTTPServer):
    """The runtime API for one function at a time: hands out batches, takes answers, notes when."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.batches, self.asked, self.answered = queue.Queue(), queue.Queue(), queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.put(time.perf_counter())
        batch = self.server.batches.get()
        self.answer(200, json.dumps(batch).encode(), {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 30) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:111122223333:function:bench",
        })

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.server.answered.put((time.perf_counter(), self.path.rsplit("/", 1)[1], body))
        self.answer(202, b"{}", {})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def batch():
    """One denial as SQS hands it over: another trail and event each time, and another user, or the budget would hold it."""
    event = json.loads(json.dumps(EVENT))
    name = uuid.uuid4().hex[:12]
    text = json.dumps(event).replace("mateojackson", f"user-{name}").replace(event["detail"]["userIdentity"]["principalId"], f"AIDA{name.upper()}")
    event = json.loads(text)
    event["detail"]["eventID"] = str(uuid.uuid4())
    # Ninety denials an hour would be one account's, so each is in an account of its own.
    account = f"{uuid.uuid4().int % 10**12:012d}"
    event = json.loads(json.dumps(event).replace(event["detail"]["recipientAccountId"], account))
    return {"Records": [{
        "messageId": str(uuid.uuid4()), "receiptHandle": "x", "body": json.dumps(event), "attributes": {}, "messageAttributes": {},
        "md5OfBody": "x", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:q", "awsRegion": "eu-west-1",
    }]}


class Function:
    """A started function; `cold` is the time from exec to its first request for work."""

    def __init__(self, command, environment):
        self.runtime = Runtime()
        environment = {**environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.runtime.server_port}"}
        begun = time.perf_counter()
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        self.cold = self.runtime.asked.get(timeout=60) - begun

    def invoke(self):
        begun = time.perf_counter()
        self.runtime.batches.put(batch())
        answered, kind, body = self.runtime.answered.get(timeout=60)
        if kind != "response" or b"itemIdentifier" in body:
            sys.exit(f"{self.process.args}: {kind}: {body.decode()}")
        self.runtime.asked.get(timeout=60)
        return answered - begun

    def end(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        self.process.kill()
        self.process.wait()
        self.runtime.shutdown()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def emulator(folder):
    """moto_server on a port that the system chose, with the table and the topic."""
    import boto3
    log = open(folder / "moto.log", "w+")
    process = subprocess.Popen([ROOT / ".tools/bin/moto_server", "-H", "127.0.0.1", "-p", "0"], stdout=log, stderr=log)
    for _ in range(600):
        found = re.search(r"http://127\.0\.0\.1:(\d+)", (folder / "moto.log").read_text())
        if found:
            break
        if process.poll() is not None:
            sys.exit("moto_server ended: " + (folder / "moto.log").read_text())
        time.sleep(0.1)
    else:
        sys.exit("moto_server did not start within a minute")
    endpoint = f"http://127.0.0.1:{found[1]}"
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    os.environ.update(keys)
    boto3.client("dynamodb", endpoint_url=endpoint).create_table(
        TableName="bench", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
    topic = boto3.client("sns", endpoint_url=endpoint).create_topic(Name="bench")["TopicArn"]
    return process, {**keys, "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": endpoint, "TRAILPASS_TABLE": "bench",
                     "TRAILPASS_NOTICES_TOPIC": topic, "TRAILPASS_ALARMS_TOPIC": topic}


def zipped(binary):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(binary, "bootstrap")
    return len(packed.getvalue()) / 1e6


def main(triage, empty, pure_path):
    commands = {"empty": [empty], "triage": [triage], "Python": [ROOT / ".tools/bin/python", ROOT / "tests/bench/peer.py"]}
    cold, first, warm, memory = ({name: [] for name in commands} for _ in range(4))
    with tempfile.TemporaryDirectory() as folder:
        moto, environment = emulator(pathlib.Path(folder))
        try:
            for _ in range(COLD):
                for name, command in commands.items():
                    function = Function(command, environment)
                    cold[name].append(function.cold * 1e3)
                    first[name].append(function.invoke() * 1e3)
                    warm[name] += [function.invoke() * 1e3 for _ in range(WARM // COLD + 1)]
                    memory[name].append(function.end())
        finally:
            moto.kill()
    record = ROOT / "events/triage/mateojackson-with-reason.json"
    pure, length = subprocess.run([pure_path, record], check=True, capture_output=True, text=True).stdout.split()
    median = {what: {name: statistics.median(values) for name, values in of.items()} for what, of in
              {"cold": cold, "first": first, "warm": warm, "memory": memory}.items()}
    print("| | triage | empty function | Python + boto3 | triage / empty | Python / triage |")
    print("|---|---|---|---|---|---|")
    for what, words, unit in [("cold", "cold start (exec to the first request for work)", "ms"), ("first", "first response", "ms"),
                              ("warm", "warm response", "ms"), ("memory", "peak memory", "MB")]:
        of = median[what]
        print(f"| {words} | {of['triage']:.1f} {unit} | {of['empty']:.1f} {unit} | {of['Python']:.1f} {unit} "
              f"| {of['triage'] / of['empty']:.1f} | {of['Python'] / of['triage']:.1f} |")
    print(f"| zipped binary | {zipped(triage):.1f} MB | {zipped(empty):.1f} MB | | | |")
    print(f"| pure path ({length} bytes in, text notice out, one core) | {pure} µs | | | | |")
    print(f"\n{COLD} interleaved cold starts each, medians; the first and warm responses wait mostly for the emulator.")


main(*(pathlib.Path(argument).resolve() for argument in sys.argv[1:4]))
