"""`trailpass doctor` on the template as the emulator makes it: in order, and then broken in one way after the other.

The emulator makes no queue policies and no subscriptions of a template's, and has no policy simulator. The first are made here by hand, and
the simulator is played, in the shape of IAM's model.
"""

import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time
import unittest
import urllib.parse

import stack
from local_test import LocalStack

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", stack.ROOT / "target"))
PROGRAM = TARGET / "debug/trailpass"
# What the functions' jobs end without; everything else that is asked about must not be allowed.
NEEDED = {"sns:Publish"}


@contextlib.contextmanager
def simulator(allowed):
    """IAM's policy simulator, for which these actions are allowed and no others."""

    class Simulator(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
            assert form["Action"] == "SimulatePrincipalPolicy", form
            action = form["ActionNames.member.1"]
            word = "allowed" if action in allowed else "implicitDeny"
            body = (
                '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>'
                f"<EvaluationResults><member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName><EvalDecision>{word}</EvalDecision></member>"
                "</EvaluationResults></SimulatePrincipalPolicyResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"
            ).encode()
            self.send_response(200)
            self.send_header("content-type", "text/xml")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Simulator) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Doctor(LocalStack):
    def setUp(self):
        given = stack.FULL_HUB | {"SlackAlarmsWebhookSecret": "", "SlackNoticesChannel": "", "SlackBotTokenSecret": "", "SlackSigningSecret": "", "SlackAppId": "", "SlackTeamId": ""}
        self.outputs, self.named = self.create("doctor", given)
        sqs, ssm = self.aws.client("sqs"), self.aws.client("ssm")
        for name in ("AlarmsQueue", "NoticesQueue", "RuleDeadLetters"):
            self.policy(name, {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"})
        self.sqs = sqs
        for topic in ("AlarmsTopic", "NoticesTopic"):
            queue = sqs.create_queue(QueueName=f"heard-{topic}")["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            self.aws.client("sns").subscribe(TopicArn=self.named[topic], Protocol="sqs", Endpoint=arn)
        # The emulator makes no API, and so no address of one.
        settings = json.loads(ssm.get_parameter(Name="/trailpass/stacks/doctor")["Parameter"]["Value"])
        settings["answers"] = "https://doctor.execute-api.eu-west-1.amazonaws.com/answers"
        ssm.put_parameter(Name="/trailpass/stacks/doctor", Type="String", Value=json.dumps(settings), Overwrite=True)
        approvers = {"schema": "trailpass.approvers/1", "approvers": [{"name": "saanvi", "aws": ["arn:aws:iam::111122223333:user/saanvi"]}]}
        ssm.put_parameter(Name="/trailpass/approvers", Type="String", Value=json.dumps(approvers), Overwrite=True)
        ssm.put_parameter(Name="/trailpass/approval-rules", Type="String", Value="permit(principal, action, resource);", Overwrite=True)
        self.addCleanup(ssm.delete_parameters, Names=["/trailpass/approvers", "/trailpass/approval-rules"])
        hour = int(time.time()) // 3600
        opened = {"cases": [{"id": "2gd4tjkox2q74mauvvu6", "opening": 1}], "more": 0}
        self.aws.client("dynamodb").put_item(TableName=self.outputs["TableName"], Item={
            "pk": {"S": f"OPENED#{hour}"}, "version": {"N": "1"}, "token": {"S": "x"}, "body": {"S": json.dumps(opened)}})
        trail = self.aws.client("cloudtrail")
        self.aws.client("s3").create_bucket(Bucket="doctor-logs", CreateBucketConfiguration={"LocationConstraint": self.aws.region})
        trail.create_trail(Name="doctor", S3BucketName="doctor-logs")
        # As AWS sets it where nobody says anything else; the emulator leaves it open.
        trail.put_event_selectors(TrailName="doctor", EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}])
        trail.start_logging(Name="doctor")
        self.addCleanup(self.aws.client("s3").delete_bucket, Bucket="doctor-logs")
        self.addCleanup(trail.delete_trail, Name="doctor")
        self.trail = trail

    def policy(self, queue, statement):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.aws.client("sqs").set_queue_attributes(QueueUrl=self.named[queue], Attributes={"Policy": policy})

    def doctor(self, *arguments, allowed=NEEDED, name="doctor"):
        with simulator(allowed) as iam:
            environment = {
                "AWS_ENDPOINT_URL": self.aws.url, "AWS_ENDPOINT_URL_IAM": iam, "AWS_REGION": self.aws.region, "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "HOME": "/nonexistent",
            }
            ran = subprocess.run([PROGRAM, "doctor", "--stack", name, *arguments], env=environment, capture_output=True, text=True, timeout=120)
        self.assertNotIn("panicked", ran.stderr)
        return ran

    def found(self, **more):
        ran = self.doctor("--format", "json", **more)
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        self.assertTrue(lines, ran.stderr)
        for line in lines:
            self.assertEqual(set(line), {"schema", "check", "subject", "state", "says", "fix"})
            self.assertEqual(line["fix"] is None, line["state"] == "ok", line)
        return ran.returncode, lines

    def assert_problem(self, check, subject, words, state="problem", **more):
        status, lines = self.found(**more)
        found = [line for line in lines if (line["check"], line["subject"], line["state"]) == (check, subject, state) and words in line["says"]]
        self.assertEqual(len(found), 1, [line for line in lines if line["state"] != "ok"])
        self.assertEqual(status, 0 if state == "warning" else 1)
        # One part that is out of order says nothing of the others.
        others = [line for line in lines if line["state"] not in ("ok", "warning") and line is not found[0]]
        self.assertEqual(others, [])

    def test_in_order_every_part_is_looked_at(self):
        status, lines = self.found()
        self.assertEqual([line for line in lines if line["state"] != "ok"], [])
        self.assertEqual(status, 0)
        looked_at = {line["subject"] for line in lines}
        for kind in ("AWS::Events::Rule", "AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::SNS::Topic"):
            for name in stack.Stack(stack.translate(), stack.FULL_HUB).of_type(kind):
                self.assertIn(name, looked_at)
        self.assertLessEqual({"trail", "guardrails", "approvers", "approval-rules", "role"}, {line["check"] for line in lines})
        text = self.doctor().stdout
        self.assertIn("0 to mend", text)
        self.assertNotIn("What to do", text)

    def test_without_a_trail_that_sees_reads_nothing_comes_in(self):
        self.trail.put_event_selectors(TrailName="doctor", EventSelectors=[{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True, "DataResources": []}])
        self.assert_problem("trail", "trail", "no trail of this Region logs management events that only read")
        fields = [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "readOnly", "Equals": ["false"]}]
        self.trail.put_event_selectors(TrailName="doctor", AdvancedEventSelectors=[{"Name": "x", "FieldSelectors": fields}])
        self.assert_problem("trail", "trail", "no trail of this Region logs management events that only read")
        self.trail.put_event_selectors(TrailName="doctor", AdvancedEventSelectors=[{"Name": "x", "FieldSelectors": fields[:1]}])
        self.assertEqual(self.found()[0], 0)
        self.trail.stop_logging(Name="doctor")
        self.assert_problem("trail", "trail", "no trail of this Region logs now")

    def test_a_rule_that_somebody_has_put_again(self):
        events = self.aws.client("events")
        (name,) = (rule["Name"] for rule in events.list_rules()["Rules"] if "-DenialRule" in rule["Name"])
        pattern = events.describe_rule(Name=name)["EventPattern"]
        events.put_rule(Name=name, EventPattern=pattern, State="ENABLED")
        self.assert_problem("rule", "DenialRule", "sees no call that only reads")
        events.disable_rule(Name=name)
        self.assert_problem("rule", "DenialRule", "it is not on: DISABLED")
        events.put_rule(Name=name, EventPattern=pattern, State="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
        targets = events.list_targets_by_rule(Rule=name)["Targets"]
        events.put_targets(Rule=name, Targets=[{"Id": one["Id"], "Arn": one["Arn"]} for one in targets])
        self.assert_problem("rule", "DenialRule", "is lost: the target has no dead-letter queue")
        events.remove_targets(Rule=name, Ids=[one["Id"] for one in targets])
        self.assert_problem("rule", "DenialRule", "brings what it picks out to nobody")

    def test_queues(self):
        self.policy("NoticesQueue", {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"})
        self.assert_problem("queue", "NoticesQueue", "does not let EventBridge send")
        self.policy("NoticesQueue", {"Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com"]}, "Action": ["sqs:*"], "Resource": "*"})
        self.assertEqual(self.found()[0], 0)
        self.aws.client("sqs").send_message(QueueUrl=self.named["AlarmsDeadLetters"], MessageBody="{}")
        self.assert_problem("queue", "AlarmsDeadLetters", "1 messages could not be dealt with", state="warning")

    def test_functions_and_their_settings(self):
        functions = self.aws.client("lambda")
        functions.put_function_concurrency(FunctionName=self.named["Triage"], ReservedConcurrentExecutions=0)
        self.assert_problem("function", "Triage", "its reserved concurrency is 0")
        functions.delete_function_concurrency(FunctionName=self.named["Triage"])
        settings = functions.get_function_configuration(FunctionName=self.named["Triage"])["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=self.named["Triage"], Environment={"Variables": settings | {"TRAILPASS_GUARDRAILS": "{"}})
        self.assert_problem("guardrails", "Triage", "guardrails:")

    def test_nothing_heard_for_a_day(self):
        table, database = self.outputs["TableName"], self.aws.client("dynamodb")
        for item in database.scan(TableName=table)["Items"]:
            database.delete_item(TableName=table, Key={"pk": item["pk"]})
        self.assert_problem("last-case", "Table", "it is quiet, or nothing is heard", state="warning")

    def set(self, **settings):
        functions = self.aws.client("lambda")
        now = functions.get_function_configuration(FunctionName=self.named["Triage"])["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=self.named["Triage"], Environment={"Variables": now | settings})

    def test_secrets_and_a_message_to_slack(self):
        self.set(TRAILPASS_SLACK_BOT_TOKEN_SECRET="doctor/bot", TRAILPASS_SLACK_NOTICES_CHANNEL="C0NOTICES", TRAILPASS_SLACK_ALARMS_CHANNEL="C0ALARMS")
        self.assert_problem("secret", "doctor/bot", "there is no such secret")
        self.aws.client("secretsmanager").create_secret(Name="doctor/bot", SecretString="xoxb-of-nobodys")
        self.assertEqual(self.found()[0], 0, "nothing is posted unless somebody asks for it")
        posted = []

        class Api(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers["content-length"])))
                posted.append((self.path, self.headers["authorization"], message["channel"]))
                said = {"ok": True, "channel": message["channel"], "ts": "1.0"} if message["channel"] == "C0NOTICES" else {"ok": False, "error": "not_in_channel"}
                body = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.set(TRAILPASS_SLACK_API=f"http://127.0.0.1:{server.server_address[1]}/api")
            ran = self.doctor("--format", "json", "--slack-test")
            server.shutdown()
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        self.assertEqual([(line["subject"], line["state"]) for line in lines if line["check"] == "slack"], [("C0NOTICES", "ok"), ("C0ALARMS", "problem")])
        self.assertEqual((ran.returncode, len(posted)), (1, 2))
        self.assertEqual({(path, token) for path, token, _ in posted}, {("/api/chat.postMessage", "Bearer xoxb-of-nobodys")})
        self.assertNotIn("xoxb", ran.stdout + ran.stderr)

    def test_who_may_answer(self):
        ssm = self.aws.client("ssm")
        ssm.put_parameter(Name="/trailpass/approval-rules", Type="String", Value="permit(\u202e", Overwrite=True)
        self.assert_problem("approval-rules", "ApprovalRulesParameter", "")
        ssm.put_parameter(Name="/trailpass/approval-rules", Type="String", Value="permit(principal, action, resource);", Overwrite=True)
        ssm.put_parameter(Name="/trailpass/approvers", Type="String", Value="{}", Overwrite=True)
        self.assert_problem("approvers", "ApproversParameter", "approvers:")

    def test_topics_that_reach_nobody(self):
        sns = self.aws.client("sns")
        for one in sns.list_subscriptions_by_topic(TopicArn=self.named["NoticesTopic"])["Subscriptions"]:
            sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
        self.assert_problem("topic", "NoticesTopic", "nobody hears")

    def test_roles(self):
        self.assert_problem("role", "Triage", "may not sns:Publish, which it has to", allowed=())
        self.assert_problem("role", "Reconcile", "may iam:CreatePolicyVersion, which it must not", allowed=NEEDED | {"iam:CreatePolicyVersion"})

    def test_what_it_is_asked_wrongly(self):
        ran = self.doctor(name="no-such-stack")
        self.assertEqual((ran.returncode, ran.stdout), (1, ""))
        self.assertIn("there is no stack no-such-stack", ran.stderr)
        for wrong in (("--format", "xml"), ("--stack", "a b"), ("extra",)):
            ran = self.doctor(*wrong) if wrong[0] != "--stack" else self.doctor(name=wrong[1])
            self.assertEqual(ran.returncode, 2, (wrong, ran.stderr))
