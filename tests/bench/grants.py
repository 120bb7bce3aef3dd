"""Times an approval, cold, and prints tables for the README: decide from its start to its answer to Slack, which waits three seconds.

Runs beside bench.py and borrows its stub, its emulator and its way to time a function. Each answer is one that counts: a case
that triage opened, a request that is signed as Slack signs, one decision in the table. What reconcile asks of IAM is counted by the end to
end tests, and how many histories the simulation plays in a second is what it says itself. Linux only.
"""
import hashlib
import hmac
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

import boto3

from bench import ROOT, Emulator, Function, Unmeasured, batch, is_whole, ratio, spread, zipped

ROUNDS, WARM = 20, 5
SLACK_WAITS = 3.0
SECRET, APP, TEAM, USER, CHANNEL = "0123456789abcdef0123456789abcdef", "A0123456789", "T0123456789", "U0123456789", "C0123456789"
STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b"
HISTORIES = 2000


class Stack:
    """What decide needs beside its table: keys, approvers, the secret that Slack signs with; and cases that can be approved."""

    def __init__(self, emulator, triage, folder):
        self.triage, self.folder = triage, folder
        endpoint = emulator.environment["AWS_ENDPOINT_URL"]
        self.table = boto3.client("dynamodb", endpoint_url=endpoint)
        kms = boto3.client("kms", endpoint_url=endpoint)
        keys = [kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"] for _ in range(2)]
        approvers = {"schema": "trailpass.approvers/1", "approvers": [{
            "name": "saanvi", "slack": [{"team_id": TEAM, "user_id": USER}], "aws": ["arn:aws:iam::111122223333:user/saanvi"]}]}
        boto3.client("ssm", endpoint_url=endpoint).put_parameter(
            Name="/trailpass/approvers", Type="String", Value=json.dumps(approvers))
        boto3.client("secretsmanager", endpoint_url=endpoint).create_secret(Name="signing", SecretString=SECRET)
        self.environment = {
            **emulator.environment, "TRAILPASS_GRANT_MODE": "managed", "TRAILPASS_STACK": STACK,
            "TRAILPASS_MAC_KEY": keys[0], "TRAILPASS_LINK_KEY": keys[1], "TRAILPASS_APPROVERS": "/trailpass/approvers",
            "TRAILPASS_SLACK_SIGNING_SECRET": "signing", "TRAILPASS_SLACK_APP": APP, "TRAILPASS_SLACK_TEAM": TEAM,
        }

    def cases(self, count):
        """Opens this many cases; gives what names each and its best remedy, and says that Slack was told of them."""
        with (self.folder / "opening.log").open("w+") as log:
            function = Function("triage", [self.triage], {**self.environment, "TRAILPASS_SLACK_BUTTONS": "false"}, log)
            try:
                for _ in range(count):
                    function.invoke(batch(), is_whole)
            finally:
                function.end()
        opened = []
        for page in self.table.get_paginator("scan").paginate(TableName="bench", ConsistentRead=True):
            for item in page["Items"]:
                key, body = item["pk"]["S"], item["body"]["S"]
                if not key.startswith("CASE#"):
                    continue
                case = json.loads(body)
                if case["told"].get("slack"):
                    continue
                stamp = f"{int(time.time())}.{len(opened):06d}"
                case["told"]["slack"] = {"channel": CHANNEL, "ts": stamp}
                self.table.update_item(
                    TableName="bench", Key={"pk": {"S": key}}, UpdateExpression="SET body = :body",
                    ExpressionAttributeValues={":body": {"S": json.dumps(case)}})
                offered = [remedy for remedy in case["diagnosis"]["remedies"] if remedy["apply"] == "on-approval"]
                opened.append((case["id"], stamp, offered[0]["hash"]))
        if len(opened) != count:
            raise Unmeasured(f"{len(opened)} cases of {count} were opened")
        return opened


def click(case):
    """Approve, for an hour, as Slack sends it through API Gateway (payload format 2.0)."""
    case_id, stamp, remedy = case
    place = {"type": "message", "message_ts": stamp, "channel_id": CHANNEL, "is_ephemeral": False}
    chosen = lambda value: {"type": "static_select", "selected_option": {"text": {"type": "plain_text", "text": "x"}, "value": value}}
    payload = {
        "type": "block_actions", "api_app_id": APP, "team": {"id": TEAM}, "user": {"id": USER, "team_id": TEAM},
        "container": place, "channel": {"id": CHANNEL}, "message": {"ts": stamp},
        "actions": [{"type": "button", "action_id": "trailpass.approve", "value": f"{case_id}#1"}],
        "state": {"values": {"trailpass.choice": {"trailpass.remedy": chosen(remedy), "trailpass.duration": chosen("60")}}},
    }
    body, now = urllib.parse.urlencode({"payload": json.dumps(payload)}), str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
    return {
        "version": "2.0", "routeKey": "POST /slack", "rawPath": "/slack", "rawQueryString": "", "isBase64Encoded": False, "body": body,
        "headers": {"content-type": "application/x-www-form-urlencoded", "x-slack-request-timestamp": now,
                    "x-slack-signature": f"v0={signature}"},
        "requestContext": {"http": {"method": "POST", "path": "/slack"}, "routeKey": "POST /slack", "stage": "$default"},
    }


def is_ok(answer):
    return json.loads(answer)["statusCode"] == 200


def time_clicks(decide, empty, triage, folder):
    measures = {of: [] for of in ("cold", "empty", "first", "whole", "warm", "memory")}
    with Emulator(folder) as emulator:
        stack = Stack(emulator, triage, folder)
        cases = stack.cases((ROUNDS + 1) * (1 + WARM))
        for turn in range(ROUNDS + 1):
            with (folder / "decide.log").open("w+") as log, (folder / "empty.log").open("w+") as empty_log:
                bare = Function("empty", [empty], stack.environment, empty_log)
                bare.end()
                function = Function("decide", [decide], stack.environment, log)
                try:
                    first, _ = function.invoke(click(cases.pop()), is_ok)
                    warm = [function.invoke(click(cases.pop()), is_ok)[0] for _ in range(WARM)]
                    memory = function.memory()
                finally:
                    function.end()
                log.seek(0)
                if (decided := log.read().count('"Decided":1,')) != 1 + WARM:
                    log.seek(0)
                    raise Unmeasured(f"decide made {decided} of {1 + WARM} decisions. It said:\n{log.read()[-3000:]}")
            if turn == 0:
                continue
            measures["cold"].append(function.cold * 1e3)
            measures["empty"].append(bare.cold * 1e3)
            measures["first"].append(first * 1e3)
            measures["whole"].append((function.cold + first) * 1e3)
            measures["warm"] += [passed * 1e3 for passed in warm]
            measures["memory"].append(memory / 1e6)
    return measures


def told_by(test, *names, **environment):
    """What a test prints."""
    command = ["cargo", "test", "--locked", "--quiet", "-p", "tests", "--test", test, "--", "--nocapture", *names]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment})
    if ran.returncode != 0:
        raise Unmeasured(f"{test}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return ran.stdout


def main(decide, empty, triage, reconcile):
    # Cargo's own environment first: the emulator takes credentials out of it.
    iam = re.findall(r"^([\w-]+): (.*?calls to IAM[^:\n]*)", told_by("end_to_end", "from_the_denial_to_the_end"), re.M)
    histories = re.search(r"^(\d+ histories in .*?\))", told_by("simulation", HISTORIES=str(HISTORIES)), re.M)
    with tempfile.TemporaryDirectory() as name:
        measured = time_clicks(decide, empty, triage, pathlib.Path(name))
    print(f"\nMedian (least–most) of {ROUNDS} cold approvals in Slack and {ROUNDS * WARM} warm ones:\n")
    print("| decide | ms |\n|---|---|")
    print(f"| cold start, exec to the first request for work | {spread(measured['cold'])} |")
    print(f"| … of an empty function | {spread(measured['empty'])}, {ratio(measured['cold'], measured['empty']):.2f} times |")
    print(f"| first answer | {spread(measured['first'])} |")
    print(f"| both: what Slack waits for, cold | {spread(measured['whole'])} |")
    print(f"| warm answer | {spread(measured['warm'])} |")
    print(f"\nPeak memory {spread(measured['memory'])} MB.")
    for program in (decide, reconcile):
        print(f"{program.name}: {os.path.getsize(program) / 1e6:.2f} MB, zipped {zipped(program):.2f} MB.")
    for mode, words in iam:
        print(f"reconcile, {mode}: {words}.")
    print(f"Simulation (debug build, two threads): {histories[1] if histories else 'it did not say'}.")
    most = max(measured["whole"]) / 1e3
    print(f"\nSlack waits {SLACK_WAITS:.0f} s; the slowest cold answer took {most:.2f} s: {'met' if most < SLACK_WAITS else 'missed'}.")


if __name__ == "__main__":
    try:
        main(*(pathlib.Path(path).resolve() for path in sys.argv[1:5]))
    except Unmeasured as why:
        sys.exit(f"grants.py: {why}")
