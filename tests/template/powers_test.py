"""Who may do what: every policy of the stack, asked with the requests that it is for and those that it must refuse."""

import contextlib
import io
import json
import re
import unittest

import parliament

import stack
from policy import PolicyError, Request, actions, is_allowed
from shape_test import TRANSLATED, Stack, stacks

ACCOUNT = "111122223333"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:"
ALARM = f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:x"
ADMINISTRATOR = f"arn:aws:iam::{ACCOUNT}:role/Administrator"
ALL = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def policies_of(one, role):
    """All documents that a role carries: its own and those that are put on it."""
    documents = [policy["PolicyDocument"] for policy in one.properties(role).get("Policies", [])]
    for policy in one.of_type("AWS::IAM::Policy").values():
        if f"trailpass-{role}" in policy["Roles"]:
            documents.append(policy["PolicyDocument"])
    return documents


def resource_policies(one, kind, name):
    """The documents on a queue or a topic."""
    member = {"AWS::SQS::QueuePolicy": "Queues", "AWS::SNS::TopicPolicy": "Topics"}[kind]
    named = f"trailpass-{name}" if member == "Queues" else f"arn:aws:sns:eu-west-1:{ACCOUNT}:trailpass-{name}Topic"
    return [policy["PolicyDocument"] for policy in one.of_type(kind).values() if named in policy[member]]


class EveryPolicy(unittest.TestCase):
    def test_nothing_of_iam_and_nothing_whole(self):
        for name, one in stacks().items():
            for role in one.of_type("AWS::IAM::Role"):
                for document in policies_of(one, role):
                    for action in actions(document):
                        with self.subTest(name, role=role, action=action):
                            # Reconcile alone changes IAM: what exactly, grants_test counts. Triage asks it one thing.
                            asks = (role, action) == ("TriageRole", "iam:SimulatePrincipalPolicy")
                            services = ("sts:", "cloudtrail:", "organizations:") + (() if asks or role == "ReconcileRole" else ("iam:",))
                            # And of CloudTrail: what a notice's reader would look up, and whether what was given is used.
                            looks = {"TriageRole": {"cloudtrail:DescribeTrails", "cloudtrail:LookupEvents"}, "ReconcileRole": {"cloudtrail:LookupEvents"}}
                            if action not in looks.get(role, ()):
                                self.assertFalse(action.lower().startswith(services))
                            self.assertNotIn("*", action)
                    for statement in document["Statement"]:
                        # AWS limits these to nothing smaller.
                        unlimited = ("dynamodb:ListStreams", "iam:GetAccountSummary", "cloudtrail:LookupEvents", ["cloudtrail:DescribeTrails", "cloudtrail:LookupEvents"])
                        if statement["Effect"] == "Allow" and statement["Action"] not in unlimited:
                            self.assertNotEqual(statement["Resource"], "*")
                self.assertNotIn("ManagedPolicyArns", one.properties(role))

    def test_parliament_finds_nothing(self):
        for name, one in stacks().items():
            for role in one.of_type("AWS::IAM::Role"):
                for document in policies_of(one, role):
                    with contextlib.redirect_stderr(io.StringIO()):
                        found = parliament.analyze_policy_string(json.dumps(document)).findings
                    self.assertEqual([str(finding) for finding in found], [], (name, role))

    def test_the_longest_fit(self):
        given = stack.FULL_HUB | {
            "RolePath": f"/{'p' * 254}/", "GrantPath": f"/{'g' * 254}/", "ProtectedArns": ",".join(f"arn:aws-us-gov:iam::{ACCOUNT}:role/{n}{'a' * 60}" for n in range(10, 30)),
            "GrantBoundary": f"arn:aws:iam::{ACCOUNT}:policy/{'b' * 512}", "ApproversParameter": f"/{'a' * 100}/{'b' * 100}",
        }
        hub = Stack(TRANSLATED, given)
        for role in hub.of_type("AWS::IAM::Role"):
            # What a role's own policies may come to in all, white space apart.
            self.assertLess(sum(len(json.dumps(document, separators=(",", ":"))) for document in policies_of(hub, role)), 10_240, role)

    def test_roles_are_for_one_service_each(self):
        full = stacks()
        forward = full["forwarder, full"].properties("ForwardRole")["AssumeRolePolicyDocument"]
        functions = [full["hub, full"].properties(role)["AssumeRolePolicyDocument"] for role in ("TriageRole", "DecideRole", "ReconcileRole")]
        for document, service, other in (*((one, "lambda.amazonaws.com", "events.amazonaws.com") for one in functions), (forward, "events.amazonaws.com", "lambda.amazonaws.com")):
            # A trust policy has no Resource; the evaluator wants one.
            document = {**document, "Statement": [{**statement, "Resource": "*"} for statement in document["Statement"]]}
            ask = lambda who, account=ACCOUNT: is_allowed(Request("sts:AssumeRole", "x", service=who, context={"aws:SourceAccount": account}), resource=[document])
            self.assertTrue(ask(service))
            self.assertFalse(ask(other))
        self.assertFalse(ask("events.amazonaws.com", "444455556666"), "another account's rules")


class Triage(unittest.TestCase):
    def setUp(self):
        self.hub = Stack(TRANSLATED, stack.FULL_HUB)
        self.role = self.hub.arn("TriageRole")
        self.documents = policies_of(self.hub, "TriageRole")
        self.table = self.hub.arn("Table")

    def may(self, action, resource, **context):
        return is_allowed(Request(action, resource, self.role, context={k.replace("__", ":"): v for k, v in context.items()}), self.documents)

    def test_may_do_its_work(self):
        for kind in ("CASE#x", "OPENED#x", "PRINCIPAL#x", "ACCOUNT#x", "STORM#x"):
            for action in ("BatchGetItem", "PutItem"):
                self.assertTrue(self.may(f"dynamodb:{action}", self.table, dynamodb__LeadingKeys=[kind]), (action, kind))
        self.assertTrue(self.may("dynamodb:BatchGetItem", self.table, dynamodb__LeadingKeys=["CASE#a", "STORM#b", "DECISION#a"]))
        self.assertTrue(self.may("iam:SimulatePrincipalPolicy", f"arn:aws:iam::{ACCOUNT}:role/people/alice"))
        for queue in ("AlarmsQueue", "NoticesQueue"):
            for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
                self.assertTrue(self.may(f"sqs:{action}", self.hub.arn(queue)))
        log = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/trailpass-triage:log-stream:2026/x"
        for action in ("CreateLogStream", "PutLogEvents"):
            self.assertTrue(self.may(f"logs:{action}", log))
        self.assertTrue(self.may("secretsmanager:GetSecretValue", SECRET + "trailpass/slack-bot-a1B2c3"))
        self.assertTrue(self.may("secretsmanager:GetSecretValue", stack.FULL_HUB["SlackAlarmsWebhookSecret"]))
        self.assertTrue(self.may("kms:Decrypt", stack.FULL_HUB["SecretsKeyArn"], kms__ViaService="secretsmanager.eu-west-1.amazonaws.com"))
        for topic in ("Alarms", "Notices"):
            arn = f"arn:aws:sns:eu-west-1:{ACCOUNT}:trailpass-{topic}Topic"
            self.assertTrue(is_allowed(Request("sns:Publish", arn, self.role), self.documents, resource_policies(self.hub, "AWS::SNS::TopicPolicy", topic)))

    def test_may_touch_its_own_kinds_of_items_only(self):
        for key in ("DECISION#x", "GRANT#x", "case#x", "XCASE#x", "CASE", ""):
            for action in ("BatchGetItem", "PutItem"):
                # Whether somebody has decided by now may be read, so that no button comes back.
                reads_decision = (action, key) == ("BatchGetItem", "DECISION#x")
                self.assertEqual(self.may(f"dynamodb:{action}", self.table, dynamodb__LeadingKeys=[key]), reads_decision, (action, key))
        self.assertFalse(self.may("dynamodb:PutItem", self.table, dynamodb__LeadingKeys=["CASE#a", "DECISION#b"]))
        # A request without keys, which ForAllValues alone would let through.
        self.assertFalse(self.may("dynamodb:BatchGetItem", self.table))
        # What the program never calls; its transactions are of puts alone.
        program = "".join(path.read_text() for path in (stack.ROOT / "shared/adapters/src/store").glob("dynamodb*.rs"))
        self.assertIn(".batch_get_item()", program)
        for call in (".get_item()", ".update_item()", "ConditionCheck::builder", "Update::builder", "Delete::builder"):
            self.assertNotIn(call, program)
        for action in ("GetItem", "UpdateItem", "ConditionCheckItem", "Scan", "Query", "DeleteItem", "BatchWriteItem", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete",
                       "DeleteTable", "UpdateTable", "UpdateTimeToLive", "DescribeStream", "GetRecords"):
            self.assertFalse(self.may(f"dynamodb:{action}", self.table, dynamodb__LeadingKeys=["CASE#x"]), action)
        for other in (self.table + "-2", self.table + "/index/x", self.table.replace(ACCOUNT, "444455556666")):
            self.assertFalse(self.may("dynamodb:PutItem", other, dynamodb__LeadingKeys=["CASE#x"]), other)

    def test_may_not_change_iam_or_cloudtrail_or_anything_else(self):
        for action in ("iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:PassRole", "iam:GetRole", "iam:CreateRole", "iam:SimulateCustomPolicy", "sts:AssumeRole", "kms:GenerateMac",
                       "cloudtrail:StopLogging", "cloudtrail:UpdateTrail", "cloudtrail:GetTrailStatus", "cloudtrail:ListTrails", "lambda:InvokeFunction",
                       "lambda:UpdateFunctionCode", "kms:Decrypt", "s3:GetObject", "events:PutEvents", "logs:CreateLogGroup", "sqs:SendMessage"):
            for resource in ("*", self.role, self.table, "arn:aws:s3:::x/y"):
                self.assertFalse(self.may(action, resource), action)
        for queue in ("AlarmsDeadLetters", "NoticesDeadLetters", "RuleDeadLetters"):
            self.assertFalse(self.may("sqs:ReceiveMessage", self.hub.arn(queue)), queue)
        for queue in ("AlarmsQueue", "NoticesQueue"):
            self.assertFalse(self.may("sqs:PurgeQueue", self.hub.arn(queue)))
        self.assertFalse(self.may("sns:Publish", f"arn:aws:sns:eu-west-1:{ACCOUNT}:other"))
        self.assertFalse(self.may("sns:Subscribe", f"arn:aws:sns:eu-west-1:{ACCOUNT}:trailpass-NoticesTopic"))
        self.assertFalse(self.may("logs:PutLogEvents", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/trailpass-other:log-stream:x"))

    def test_may_read_the_named_secrets_only(self):
        for name in ("other-a1B2c3", "trailpass/slack-bot", "trailpass/slack-bot-2-a1B2c3", "alarms-hook-ZzZzZz", "trailpass/slack-bot-a1B2c3x"):
            self.assertFalse(self.may("secretsmanager:GetSecretValue", SECRET + name), name)
        self.assertFalse(self.may("secretsmanager:PutSecretValue", SECRET + "trailpass/slack-bot-a1B2c3"))
        bare = policies_of(Stack(TRANSLATED), "TriageRole")
        self.assertFalse([action for document in bare for action in actions(document) if action.startswith(("secretsmanager:", "kms:"))])
        # CloudFormation can't check whose ARN it was given.
        theirs = stack.FULL_HUB["SlackAlarmsWebhookSecret"].replace(ACCOUNT, "444455556666")
        hub = Stack(TRANSLATED, {"SlackAlarmsWebhookSecret": theirs})
        self.assertFalse(is_allowed(Request("secretsmanager:GetSecretValue", theirs, hub.arn("TriageRole")), policies_of(hub, "TriageRole")))

    def test_may_use_the_secrets_key_for_secrets_only(self):
        key = stack.FULL_HUB["SecretsKeyArn"]
        self.assertFalse(self.may("kms:Decrypt", key))
        self.assertFalse(self.may("kms:Decrypt", key, kms__ViaService="s3.eu-west-1.amazonaws.com"))
        for action, resource in (("kms:Encrypt", key), ("kms:GenerateDataKey", key), ("kms:Decrypt", stack.FULL_HUB["TrailKeyArn"])):
            self.assertFalse(self.may(action, resource, kms__ViaService="secretsmanager.eu-west-1.amazonaws.com"), action)


class Canary(unittest.TestCase):
    def test_its_call_is_one_that_triage_lacks(self):
        program = (stack.ROOT / "functions/triage/src/canary.rs").read_text()
        (action,) = re.findall(r'const ACTION: &str = "(.*)"', program)
        for name, one in stacks().items():
            for document in policies_of(one, "TriageRole") if "Triage" in one.resources else ():
                self.assertNotIn(action, actions(document), name)


class QueuesAndTopics(unittest.TestCase):
    def test_only_the_rules_may_send(self):
        for name, one in stacks().items():
            rules = set(one.denial_rules()) | {"BlindingRule"}
            feeding = {"AlarmsQueue": stack.ALARMING, "NoticesQueue": rules - stack.ALARMING, "RuleDeadLetters": rules,
                       "AlarmsDeadLetters": set(), "NoticesDeadLetters": set(), "StreamDeadLetters": set()}
            for queue in one.of_type("AWS::SQS::Queue"):
                its = resource_policies(one, "AWS::SQS::QueuePolicy", queue)
                send = lambda source, service="events.amazonaws.com", **more: is_allowed(
                    Request("sqs:SendMessage", one.arn(queue), service=service, context={"aws:SourceArn": source} | more), resource=its)
                for rule in rules:
                    self.assertEqual(send(one.arn(rule)), rule in feeding[queue], (name, queue, rule))
                self.assertFalse(send(one.arn("DenialRule") + "-2"))
                self.assertFalse(send(one.arn("DenialRule").replace(ACCOUNT, "444455556666")))
                self.assertFalse(send(one.arn("DenialRule"), "sns.amazonaws.com"))

    def test_nobody_else_puts_in_or_takes_out_whatever_his_own_policies_allow(self):
        for given in ({}, stack.FULL_HUB):
            hub = Stack(TRANSLATED, given)
            triage = hub.arn("TriageRole")
            for queue in ("AlarmsQueue", "NoticesQueue"):
                its = resource_policies(hub, "AWS::SQS::QueuePolicy", queue)
                may = lambda action, who=ADMINISTRATOR: is_allowed(Request(f"sqs:{action}", hub.arn(queue), who), [ALL], its)
                others = (ADMINISTRATOR, f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:user/alice", triage + "2", triage.replace("role/", "role/x/"))
                for who in others:
                    for action in ("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "PurgeQueue"):
                        self.assertFalse(may(action, who), (queue, action, who))
                for action in ("ReceiveMessage", "DeleteMessage"):
                    self.assertTrue(may(action, triage), (queue, action))
                for action in ("SendMessage", "PurgeQueue"):
                    self.assertFalse(may(action, triage), "not even a taken-over triage")
                # Or the stack could be neither updated nor deleted.
                for action in ("SetQueueAttributes", "GetQueueAttributes", "DeleteQueue", "AddPermission"):
                    self.assertTrue(may(action), (queue, action))

    def test_dead_letters_are_nobodys_to_write_or_to_empty(self):
        for name, one in stacks().items():
            reconcile = one.arn("ReconcileRole") if "ReconcileRole" in one.resources else None
            for queue in one.of_type("AWS::SQS::Queue"):
                if not queue.endswith("DeadLetters"):
                    continue
                its = resource_policies(one, "AWS::SQS::QueuePolicy", queue)
                may = lambda action, who=ADMINISTRATOR: is_allowed(Request(f"sqs:{action}", one.arn(queue), who), [ALL], its)
                for action in ("SendMessage", "PurgeQueue"):
                    self.assertFalse(may(action), (name, queue, action))
                    self.assertFalse(may(action, stack.FULL_HUB["OperatorRoleArn"]), (name, queue, action))
                # What the stream lost Lambda writes, as the function's role.
                self.assertEqual(reconcile is not None and may("SendMessage", reconcile), queue == "StreamDeadLetters", (name, queue))

    def test_dead_letters_are_sent_back_by_one_role(self):
        operator = stack.FULL_HUB["OperatorRoleArn"]
        for given, has_operator in ((stack.BARE_HUB, False), (stack.FULL_HUB, True)):
            hub = Stack(TRANSLATED, given)
            for kind in ("Alarms", "Notices"):
                queue, dead = (resource_policies(hub, "AWS::SQS::QueuePolicy", f"{kind}{end}") for end in ("Queue", "DeadLetters"))
                ask = lambda action, end, its, who: is_allowed(Request(f"sqs:{action}", hub.arn(f"{kind}{end}"), who), [ALL], its)
                # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
                self.assertEqual(ask("SendMessage", "Queue", queue, operator), has_operator)
                for action in ("ReceiveMessage", "DeleteMessage"):
                    self.assertTrue(ask(action, "DeadLetters", dead, operator))
                    self.assertEqual(ask(action, "DeadLetters", dead, ADMINISTRATOR), not has_operator)
                    self.assertFalse(ask(action, "Queue", queue, operator))
                for other in (ADMINISTRATOR, operator + "2", operator.replace("role/people/", "role/"), hub.arn("TriageRole")):
                    self.assertFalse(ask("SendMessage", "Queue", queue, other), other)

    def test_plain_text_is_refused_to_everybody(self):
        plain = {"aws:SecureTransport": "false"}
        for name, one in stacks().items():
            for queue in one.of_type("AWS::SQS::Queue"):
                its = resource_policies(one, "AWS::SQS::QueuePolicy", queue)
                # Each by somebody who may, but for that.
                who = stack.FULL_HUB["OperatorRoleArn"] if queue.endswith("DeadLetters") else one.arn("TriageRole")
                for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage"):
                    ask = lambda context: is_allowed(Request(action, one.arn(queue), who, context=context), [ALL], its)
                    self.assertTrue(ask({}), (name, queue))
                    self.assertFalse(ask(plain), (name, queue))
        hub = Stack(TRANSLATED)
        for topic in ("Alarms", "Notices"):
            arn, its = f"arn:aws:sns:eu-west-1:{ACCOUNT}:trailpass-{topic}Topic", resource_policies(hub, "AWS::SNS::TopicPolicy", topic)
            self.assertFalse(is_allowed(Request("sns:Publish", arn, hub.arn("TriageRole"), context=plain), [ALL], its))

    def test_only_triage_and_cloudwatch_may_publish(self):
        hub = Stack(TRANSLATED, {"RolePath": "/security/"})
        from_alarm = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": ALARM}
        for topic in ("Alarms", "Notices"):
            arn, its = f"arn:aws:sns:eu-west-1:{ACCOUNT}:trailpass-{topic}Topic", resource_policies(hub, "AWS::SNS::TopicPolicy", topic)
            self.assertTrue(is_allowed(Request("sns:Publish", arn, hub.arn("TriageRole")), [], its))
            # Not even somebody whose own policies allow everything.
            self.assertFalse(is_allowed(Request("sns:Publish", arn, ADMINISTRATOR), [ALL], its))
            self.assertTrue(is_allowed(Request("sns:Subscribe", arn, ADMINISTRATOR), [ALL], its))
            alarm = lambda **context: is_allowed(Request("sns:Publish", arn, service="cloudwatch.amazonaws.com", context=from_alarm | context), [], its)
            self.assertEqual(alarm(), topic == "Alarms")
            elsewhere = "444455556666"
            self.assertFalse(alarm(**{"aws:SourceAccount": elsewhere}))
            self.assertFalse(alarm(**{"aws:SourceArn": ALARM.replace(ACCOUNT, elsewhere)}))
            self.assertFalse(is_allowed(Request("sns:Publish", arn, service="s3.amazonaws.com", context=from_alarm), [], its))

    def test_only_cloudwatch_may_publish_in_a_forwarder(self):
        one = Stack(TRANSLATED, stack.FULL_FORWARDER)
        arn, its = f"arn:aws:sns:eu-west-1:{ACCOUNT}:trailpass-AlarmsTopic", resource_policies(one, "AWS::SNS::TopicPolicy", "Alarms")
        context = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": ALARM}
        self.assertTrue(is_allowed(Request("sns:Publish", arn, service="cloudwatch.amazonaws.com", context=context), [], its))
        self.assertFalse(is_allowed(Request("sns:Publish", arn, ADMINISTRATOR), [ALL], its))
        key = one.properties("TopicsKey")["KeyPolicy"]
        self.assertTrue(is_allowed(Request("kms:Decrypt", one.arn("TopicsKey"), service="cloudwatch.amazonaws.com"), [], [key]))

    def test_the_topics_key_is_for_publishing(self):
        hub = Stack(TRANSLATED)
        key = hub.properties("TopicsKey")
        self.assertIs(key["EnableKeyRotation"], True)
        for topic in hub.of_type("AWS::SNS::Topic").values():
            self.assertEqual(topic["KmsMasterKeyId"], hub.arn("TopicsKey"))
        use = lambda action, **who: is_allowed(Request(action, hub.arn("TopicsKey"), **who), [], [key["KeyPolicy"]])
        through_sns = {"kms:ViaService": "sns.eu-west-1.amazonaws.com"}
        for action in ("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt"):
            self.assertTrue(use(action, service="cloudwatch.amazonaws.com"))
            for account, is_ours in ((ACCOUNT, True), ("444455556666", False)):
                self.assertEqual(use(action, service="cloudwatch.amazonaws.com", context={"aws:SourceAccount": account}), is_ours)
            self.assertTrue(use(action, principal=hub.arn("TriageRole"), context=through_sns))
            self.assertFalse(use(action, principal=hub.arn("TriageRole")), "only through SNS")
            self.assertFalse(use(action, service="events.amazonaws.com"))
        for action in ("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:CreateGrant"):
            self.assertFalse(use(action, service="cloudwatch.amazonaws.com"))
            self.assertFalse(use(action, principal=hub.arn("TriageRole"), context=through_sns))
        self.assertTrue(use("kms:PutKeyPolicy", principal=f"arn:aws:iam::{ACCOUNT}:root"), "or nobody could ever change it")


class Forwarding(unittest.TestCase):
    def test_the_forwarder_puts_events_on_the_hubs_bus_only(self):
        one = Stack(TRANSLATED, stack.FULL_FORWARDER)
        may = lambda action, resource: is_allowed(Request(action, resource, one.arn("ForwardRole")), policies_of(one, "ForwardRole"))
        bus = stack.FORWARDER["HubEventBusArn"]
        self.assertTrue(may("events:PutEvents", bus))
        self.assertFalse(may("events:PutEvents", bus.replace("default", "other")))
        self.assertFalse(may("events:PutRule", bus))

    def test_a_forwarder_never_forwards_to_itself(self):
        own = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default"
        one = Stack(TRANSLATED, stack.FORWARDER | {"HubEventBusArn": own})
        self.assertFalse(is_allowed(Request("events:PutEvents", own, one.arn("ForwardRole")), policies_of(one, "ForwardRole")))

    def test_the_hub_takes_from_its_organization_only_and_only_awss_events(self):
        hub = Stack(TRANSLATED, stack.FULL_HUB)
        (policy,) = hub.of_type("AWS::Events::EventBusPolicy").values()
        statement = policy["Statement"]
        document = {"Version": "2012-10-17", "Statement": [statement]}
        ask = lambda source, organization=stack.FULL_HUB["OrganizationId"], action="events:PutEvents": is_allowed(
            Request(action, statement["Resource"], "arn:aws:iam::444455556666:role/forward",
                    context={"events:source": [source]} | ({"aws:PrincipalOrgID": organization} if organization else {})), [], [document])
        self.assertTrue(ask("aws.cloudtrail"))
        self.assertFalse(ask("acme.orders"))
        self.assertFalse(ask("aws.cloudtrail", "o-ffffffffff"))
        self.assertFalse(ask("aws.cloudtrail", None))
        self.assertFalse(ask("aws.cloudtrail", action="events:PutRule"))
        self.assertEqual(Stack(TRANSLATED).of_type("AWS::Events::EventBusPolicy"), {})
        self.assertEqual(hub.outputs()["EventBusArn"], statement["Resource"])


class TheEvaluatorItself(unittest.TestCase):
    """Known answers, or the tests above would prove nothing."""

    def document(self, **statement):
        return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"} | statement]}

    def test_known_answers(self):
        ask = lambda action, resource, *documents, **context: is_allowed(Request(action, resource, "r", context=context), documents)
        read, deny = self.document(), self.document(Effect="Deny", Action="s3:GetObjectAcl")
        self.assertTrue(ask("s3:getobject", "arn:aws:s3:::b/x/y", read))
        self.assertFalse(ask("s3:GetObject", "arn:aws:s3:::b", read))
        self.assertFalse(ask("s3:PutObject", "arn:aws:s3:::b/x", read))
        self.assertFalse(ask("s3:GetObjectAcl", "arn:aws:s3:::b/x", read, deny))
        self.assertTrue(ask("s3:GetObject", "arn:aws:s3:::b/x", read, deny))
        absent = {"s3:x": "1"}
        for condition, wanted in [
            ({"StringEquals": absent}, False), ({"StringNotEquals": absent}, True), ({"ForAllValues:StringEquals": absent}, True),
            ({"Bool": {"s3:x": "false"}}, False), ({"Null": {"s3:x": "true"}}, True), ({"Null": {"s3:x": "false"}}, False),
        ]:
            self.assertEqual(ask("s3:GetObject", "arn:aws:s3:::b/x", self.document(Condition=condition)), wanted, condition)
        limited = self.document(Condition={"ForAllValues:StringLike": {"s3:x": ["A#*"]}})
        self.assertTrue(ask("s3:GetObject", "arn:aws:s3:::b/x", limited, **{"S3:X": ["A#1", "A#2"]}))
        self.assertFalse(ask("s3:GetObject", "arn:aws:s3:::b/x", limited, **{"S3:X": ["A#1", "B#2"]}))

    def test_what_it_does_not_know_is_an_error(self):
        for statement in ({"NotAction": "x"}, {"Condition": {"IpAddress": {"aws:SourceIp": "x"}}}, {"Effect": "Maybe"}):
            with self.assertRaises(PolicyError):
                is_allowed(Request("s3:GetObject", "arn:aws:s3:::b/x", "r"), [self.document(**statement)])
