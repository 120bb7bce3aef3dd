"""The translated template on a stand-in for AWS: it can be created, and an event goes its way through a rule to a queue.

The emulator is laxer than AWS (DISABLED rules deliver, IAM's conditions are not looked at, unknown resources are left out
without a word), so what it can't tell is tested elsewhere. Its pattern matching is a second opinion on ours, and so is what it
makes of the roles' policies (EnforcedPowers).
"""

import io
import json
import unittest
import zipfile

from botocore.exceptions import ClientError

import samples
import stack
from local_aws import LocalAws
from powers_test import ALL
from shape_test import TRANSLATED, Stack

# Kinds that the emulator takes and does not make.
NOT_MADE_BY_THE_EMULATOR = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::Events::EventBusPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
# What the emulator's own matcher can't do: look into an array of objects.
NOT_FOR_THE_EMULATOR = {"trail's key, resources", "trail's key through an endpoint"}


def without_nothing(body, stack):
    """A template whose lists hold no AWS::NoValue: the emulator makes a null of it, and AWS leaves it out."""
    if isinstance(body, dict):
        if set(body) == {"Fn::If"}:
            condition, yes, no = body["Fn::If"]
            return without_nothing(yes if stack.conditions[condition] else no, stack)
        return {key: without_nothing(value, stack) for key, value in body.items()}
    if isinstance(body, list):
        return [one for one in (without_nothing(one, stack) for one in body) if one != {"Ref": "AWS::NoValue"}]
    return body


class LocalStack(unittest.TestCase):
    """A stand-in for each class of tests, and what creates stacks there."""

    @classmethod
    def setUpClass(cls):
        cls.aws = LocalAws()
        cls.aws.__enter__()
        cls.addClassCleanup(cls.aws.__exit__)
        s3 = cls.aws.client("s3")
        bucket, key = stack.CODE.removeprefix("s3://").split("/")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": cls.aws.region})
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as code:
            code.writestr("bootstrap", "#!/bin/sh\n")
        s3.put_object(Bucket=bucket, Key=key, Body=archive.getvalue())

    def create(self, name, parameters, without=()):
        formation = self.aws.client("cloudformation")
        self.assertEqual(Stack(TRANSLATED, parameters).broken_rules(), [])
        template = TRANSLATED | {"Resources": {key: body for key, body in TRANSLATED["Resources"].items() if key not in without}}
        body = template | {"Resources": without_nothing(template["Resources"], Stack(template, parameters))}
        formation.create_stack(
            StackName=name, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        self.addCleanup(self.delete, name)
        (made,) = formation.describe_stacks(StackName=name)["Stacks"]
        self.assertEqual(made["StackStatus"], "CREATE_COMPLETE", made.get("StackStatusReason"))
        resources = formation.describe_stack_resources(StackName=name)["StackResources"]
        named = {one["LogicalResourceId"]: one.get("PhysicalResourceId") for one in resources if "LogicalResourceId" in one}
        wanted = {key for key, body in Stack(template, parameters).resources.items() if body["Type"] not in NOT_MADE_BY_THE_EMULATOR}
        self.assertEqual(set(named), wanted)
        return {one["OutputKey"]: one["OutputValue"] for one in made.get("Outputs", [])}, named

    def delete(self, name):
        self.aws.client("cloudformation").delete_stack(StackName=name)
        # The emulator leaves managed policies behind, and the next stack's have the same names.
        iam = self.aws.client("iam")
        for policy in iam.list_policies(Scope="Local")["Policies"]:
            iam.delete_policy(PolicyArn=policy["Arn"])

    def rules(self, name):
        events = self.aws.client("events")
        return {rule["Name"].removeprefix(f"{name}-").rsplit("-", 1)[0]: rule for rule in events.list_rules(NamePrefix=f"{name}-")["Rules"]}

    def received(self, url):
        """The bodies of all messages of a queue."""
        sqs, bodies = self.aws.client("sqs"), []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
            for message in batch:
                bodies.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

class OnThisMachine(LocalStack):
    def test_a_hub_with_as_little_given_as_may_be(self):
        outputs, _ = self.create("bare", stack.BARE_HUB)
        self.assertEqual(set(outputs), set(Stack(TRANSLATED).outputs()))
        self.assertEqual(outputs["EventBusArn"], f"arn:aws:events:eu-west-1:{self.aws.account}:event-bus/default")
        self.assertEqual(set(self.rules("bare")), set(Stack(TRANSLATED).of_type("AWS::Events::Rule")))

    def test_a_hub_without_grants(self):
        outputs, _ = self.create("watch", {"GrantMode": "none", "AlarmsAreSubscribedElsewhere": "true"})
        self.assertEqual(set(outputs), set(Stack(TRANSLATED, {"GrantMode": "none", "AlarmsAreSubscribedElsewhere": "true"}).outputs()))
        settings = json.loads(self.aws.client("ssm").get_parameter(Name="/trailpass/stacks/watch")["Parameter"]["Value"])
        self.assertEqual((settings["grant_mode"], settings["answers"], settings["table"]), ("none", "", outputs["TableName"]))
        self.assertEqual([role["RoleName"] for role in self.aws.client("iam").list_roles()["Roles"]], [outputs["TriageRoleArn"].rsplit("/", 1)[1]])

    def test_a_forwarder(self):
        outputs, _ = self.create("spoke", stack.FULL_FORWARDER)
        self.assertEqual(set(outputs), {"RuleDeadLettersUrl", "ForwardRoleArn", "AlarmsTopicArn"})
        events = self.aws.client("events")
        for rule in self.rules("spoke").values():
            (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            self.assertEqual(target["Arn"], stack.FORWARDER["HubEventBusArn"])
            self.assertEqual(target["RoleArn"], outputs["ForwardRoleArn"])
        self.assertIn(":role/security/", outputs["ForwardRoleArn"])

    def test_a_hub_with_everything(self):
        outputs, named = self.create("hub", stack.FULL_HUB)
        iam, logs = self.aws.client("iam"), self.aws.client("logs")
        role = iam.get_role(RoleName=outputs["TriageRoleArn"].rsplit("/", 1)[1])["Role"]
        self.assertEqual(role["Path"], "/security/")
        self.assertEqual(role["PermissionsBoundary"]["PermissionsBoundaryArn"], stack.FULL_HUB["PermissionsBoundary"])
        self.assertEqual(
            set(iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]),
            {"triage", "SlackBotTokenSecret", "SlackAlarmsWebhookSecret", "SecretsKey"},
        )
        function = self.aws.client("lambda").get_function_configuration(FunctionName=outputs["TriageFunctionName"])
        roles = [outputs[f"{name}RoleArn"] for name in ("Triage", "Decide", "Reconcile")]
        self.assertEqual(function["Environment"]["Variables"]["TRAILPASS_OWN_ROLES"], ",".join(roles))
        json.loads(function["Environment"]["Variables"]["TRAILPASS_GUARDRAILS"])
        (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/hub-triage")["logGroups"]
        self.assertEqual(group["retentionInDays"], 90)
        table = self.aws.client("dynamodb").describe_table(TableName=outputs["TableName"])["Table"]
        self.assertEqual([(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]], [("pk", "HASH")])
        for topic in ("AlarmsTopicArn", "NoticesTopicArn"):
            attributes = self.aws.client("sns").get_topic_attributes(TopicArn=outputs[topic])["Attributes"]
            self.assertTrue(attributes["KmsMasterKeyId"].endswith(f"key/{named['TopicsKey']}"))
        stream = self.aws.client("lambda").list_event_source_mappings(EventSourceArn=table["LatestStreamArn"])["EventSourceMappings"]
        self.assertEqual([one["FunctionArn"].rsplit(":", 1)[1] for one in stream], [named["Reconcile"]])
        rules = self.rules("hub")
        self.assertEqual(rules.pop("SweepRule")["ScheduleExpression"], "rate(5 minutes)")
        self.assertEqual(rules.pop("CanaryRule")["ScheduleExpression"], "rate(1 hour)")
        self.assertEqual(rules.pop("BlindingRule")["State"], "ENABLED", "what blinds is a write")
        for name, rule in rules.items():
            self.assertEqual(rule["State"], "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", name)

    def test_events_go_their_way(self):
        # Without what pulls messages out of the queues: there is no Lambda here that could run the function, and the emulator
        # gives up on a message after a few tries, even when the mapping has been deleted since. And without the clock, whose
        # rule the emulator takes for one that every event matches.
        outputs, _ = self.create("road", stack.FULL_HUB, without=("TriageAlarms", "TriageNotices", "ReconcileStream", "SweepRule", "SweepPermission"))
        sent = [(name, rule, event) for name, rule, event in samples.SAMPLES if name not in NOT_FOR_THE_EMULATOR]
        entries = [
            {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])} for _, _, event in sent
        ]
        events = self.aws.client("events")
        # The other clock's, to which the queues' policies refer.
        (canary,) = (rule["Name"] for rule in events.list_rules()["Rules"] if "road-CanaryRule" in rule["Name"])
        events.remove_targets(Rule=canary, Ids=["Queue"])
        for at in range(0, len(entries), 10):
            self.assertEqual(events.put_events(Entries=entries[at : at + 10])["FailedEntryCount"], 0)
        for queue, is_its in (
            ("AlarmsQueueUrl", lambda rule: rule in stack.ALARMING),
            ("NoticesQueueUrl", lambda rule: rule is not None and rule not in stack.ALARMING),
        ):
            bodies = self.received(outputs[queue])
            self.assertTrue(all(body["detail-type"] for body in bodies))
            arrived = sorted(body["detail"]["eventID"] for body in bodies)
            self.assertEqual(arrived, sorted(event["detail"]["eventID"] for _, rule, event in sent if is_its(rule)), queue)


class EnforcedPowers(LocalStack):
    """Each role makes its calls, and others', with the emulator's own enforcement on. It judges by action alone (it asks for every
    call whether it is allowed on `*`), so the policies' resources and conditions, the denials that rest on them and the keys'
    policies are left out here; that they are narrow is in powers_test and grants_test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.outputs, cls.named = cls().create("hub", stack.FULL_HUB, without=("TriageAlarms", "TriageNotices", "ReconcileStream"))
        cls.managed = f"arn:aws:iam::{cls.aws.account}:policy/trailpass/trailpass-trail-read"
        iam, sts = cls.aws.client("iam"), cls.aws.client("sts")
        iam.create_user(UserName="alice", Path="/people/")
        iam.create_role(RoleName="auditor", Path="/people/", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))
        cls.aws.client("secretsmanager").create_secret(Name="trailpass/slack-bot", SecretString="x")
        cls.aws.client("ssm").put_parameter(Name="/trailpass/approvers", Type="String", Value="[]")
        cls.sessions = {
            name: sts.assume_role(RoleArn=cls.outputs[f"{name}RoleArn"], RoleSessionName="test")["Credentials"] for name in ("Triage", "Decide", "Reconcile")
        }
        for arn in (cls.outputs[f"{name}RoleArn"] for name in cls.sessions):
            role = arn.rsplit("/", 1)[1]
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
                statements = [{"Effect": "Allow", "Action": one["Action"], "Resource": "*"} for one in document["Statement"] if one["Effect"] == "Allow"]
                iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document | {"Statement": statements}))
        cls.clients = {}
        cls.aws.enforce()

    def outcome(self, role, service, operation, **arguments):
        """`allowed`, `denied`, or the code of another error."""
        client = self.clients.setdefault((role, service), None) or self.aws.client(service, self.sessions[role])
        self.clients[role, service] = client
        try:
            getattr(client, operation)(**arguments)
        except ClientError as error:
            return "denied" if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403 else error.response["Error"]["Code"]
        return "allowed"

    def calls(self):
        """Calls by name, and who may make each."""
        table, key = self.outputs["TableName"], lambda kind: {"pk": {"S": f"{kind}#1"}}
        alice, auditor = {"UserName": "alice"}, {"RoleName": "auditor"}
        ours, document = {"PolicyArn": self.managed}, {"PolicyName": "x", "PolicyDocument": json.dumps(ALL)}
        every, decide, reconcile = {"Triage", "Decide", "Reconcile"}, {"Decide"}, {"Reconcile"}
        tellers = {"Triage", "Reconcile"}
        return [
            (every, "dynamodb", "batch_get_item", {"RequestItems": {table: {"Keys": [key("DECISION")]}}}),
            (every, "dynamodb", "put_item", {"TableName": table, "Item": key("CASE")}),
            (set(), "dynamodb", "get_item", {"TableName": table, "Key": key("CASE")}),
            (set(), "dynamodb", "scan", {"TableName": table}),
            (set(), "dynamodb", "query", {"TableName": table, "KeyConditionExpression": "pk = :k", "ExpressionAttributeValues": {":k": {"S": "CASE#1"}}}),
            (set(), "dynamodb", "delete_item", {"TableName": table, "Key": key("CASE")}),
            (set(), "dynamodb", "update_item", {"TableName": table, "Key": key("CASE")}),
            (set(), "dynamodb", "execute_statement", {"Statement": f'SELECT * FROM "{table}"'}),
            (set(), "dynamodb", "delete_table", {"TableName": table}),
            (tellers, "sns", "publish", {"TopicArn": self.outputs["NoticesTopicArn"], "Message": "x"}),
            (decide, "ssm", "get_parameter", {"Name": "/trailpass/approvers"}),
            (set(), "ssm", "put_parameter", {"Name": "/trailpass/approvers", "Value": "[]", "Overwrite": True}),
            (every, "secretsmanager", "get_secret_value", {"SecretId": "trailpass/slack-bot"}),
            (set(), "secretsmanager", "put_secret_value", {"SecretId": "trailpass/slack-bot", "SecretString": "y"}),
            (reconcile, "iam", "get_user", alice), (reconcile, "iam", "get_role", auditor),
            (reconcile, "iam", "list_attached_user_policies", alice), (reconcile, "iam", "list_attached_role_policies", auditor),
            (reconcile, "iam", "list_user_policies", alice), (reconcile, "iam", "list_role_policies", auditor),
            (reconcile, "iam", "list_entities_for_policy", ours), (reconcile, "iam", "get_account_summary", {}),
            (reconcile, "iam", "attach_user_policy", alice | ours), (reconcile, "iam", "detach_user_policy", alice | ours),
            (reconcile, "iam", "attach_role_policy", auditor | ours), (reconcile, "iam", "detach_role_policy", auditor | ours),
            (reconcile, "iam", "put_user_policy", alice | document), (reconcile, "iam", "get_user_policy", alice | {"PolicyName": "x"}),
            (reconcile, "iam", "delete_user_policy", alice | {"PolicyName": "x"}),
            (reconcile, "iam", "put_role_policy", auditor | document), (reconcile, "iam", "get_role_policy", auditor | {"PolicyName": "x"}),
            (reconcile, "iam", "delete_role_policy", auditor | {"PolicyName": "x"}),
            (set(), "iam", "create_policy_version", ours | {"PolicyDocument": document["PolicyDocument"]}),
            (set(), "iam", "create_access_key", alice), (set(), "iam", "create_user", {"UserName": "mallory"}),
            (set(), "iam", "update_assume_role_policy", auditor | {"PolicyDocument": document["PolicyDocument"]}),
            (set(), "iam", "delete_role_permissions_boundary", auditor), (set(), "iam", "tag_user", alice | {"Tags": [{"Key": "trailpass", "Value": "x"}]}),
            (set(), "sts", "assume_role", {"RoleArn": f"arn:aws:iam::{self.aws.account}:role/people/auditor", "RoleSessionName": "test"}),
            (set(), "kms", "create_grant", {"KeyId": self.named["DecisionsKey"], "GranteePrincipal": self.outputs["DecideRoleArn"], "Operations": ["GenerateMac"]}),
            (set(), "lambda", "invoke", {"FunctionName": self.named["Reconcile"]}),
            (set(), "lambda", "update_function_configuration", {"FunctionName": self.named["Decide"]}),
            (set(), "events", "disable_rule", {"Name": "x"}), (set(), "logs", "delete_log_group", {"logGroupName": self.outputs["AuditLogGroup"]}),
            (set(), "cloudtrail", "stop_logging", {"Name": "x"}),
        ]

    def test_each_does_its_work_and_nothing_else(self):
        for allowed, service, operation, arguments in self.calls():
            for role in ("Triage", "Decide", "Reconcile"):
                with self.subTest(role, call=f"{service}.{operation}"):
                    self.assertEqual(self.outcome(role, service, operation, **arguments), "allowed" if role in allowed else "denied")
