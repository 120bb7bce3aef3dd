"""The translated template on a stand-in for AWS: it can be created, and an event goes its way through a rule to a queue.

The emulator is laxer than AWS (DISABLED rules deliver, IAM's conditions are not looked at, unknown resources are left out
without a word), so what it can't tell is tested elsewhere. Its pattern matching is a second opinion on ours.
"""

import io
import json
import unittest
import zipfile

import samples
import stack
from local_aws import LocalAws
from shape_test import TRANSLATED, Stack

# Kinds that the emulator takes and does not make.
NOT_MADE_BY_THE_EMULATOR = {
    "AWS::CloudWatch::Alarm",
    "AWS::Events::EventBusPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
# What the emulator's own matcher can't do: look into an array of objects.
NOT_FOR_THE_EMULATOR = {"trail's key, resources", "trail's key through an endpoint"}


class OnThisMachine(unittest.TestCase):
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
        template = TRANSLATED | {"Resources": {key: body for key, body in TRANSLATED["Resources"].items() if key not in without}}
        formation.create_stack(
            StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        self.addCleanup(formation.delete_stack, StackName=name)
        (made,) = formation.describe_stacks(StackName=name)["Stacks"]
        self.assertEqual(made["StackStatus"], "CREATE_COMPLETE", made.get("StackStatusReason"))
        resources = formation.describe_stack_resources(StackName=name)["StackResources"]
        named = {one["LogicalResourceId"]: one.get("PhysicalResourceId") for one in resources if "LogicalResourceId" in one}
        wanted = {key for key, body in Stack(template, parameters).resources.items() if body["Type"] not in NOT_MADE_BY_THE_EMULATOR}
        self.assertEqual(set(named), wanted)
        return {one["OutputKey"]: one["OutputValue"] for one in made.get("Outputs", [])}, named

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

    def test_a_hub_with_nothing_given(self):
        outputs, _ = self.create("bare", {})
        self.assertEqual(set(outputs), set(Stack(TRANSLATED).outputs()))
        self.assertEqual(outputs["EventBusArn"], f"arn:aws:events:eu-west-1:{self.aws.account}:event-bus/default")
        self.assertEqual(set(self.rules("bare")), set(Stack(TRANSLATED).of_type("AWS::Events::Rule")))

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
        self.assertEqual(function["Environment"]["Variables"]["TRAILPASS_OWN_ROLES"], outputs["TriageRoleArn"])
        json.loads(function["Environment"]["Variables"]["TRAILPASS_GUARDRAILS"])
        (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/hub-triage")["logGroups"]
        self.assertEqual(group["retentionInDays"], 90)
        table = self.aws.client("dynamodb").describe_table(TableName=outputs["TableName"])["Table"]
        self.assertEqual([(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]], [("pk", "HASH")])
        for topic in ("AlarmsTopicArn", "NoticesTopicArn"):
            attributes = self.aws.client("sns").get_topic_attributes(TopicArn=outputs[topic])["Attributes"]
            self.assertTrue(attributes["KmsMasterKeyId"].endswith(f"key/{named['TopicsKey']}"))
        for name, rule in self.rules("hub").items():
            self.assertEqual(rule["State"], "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", name)

    def test_events_go_their_way(self):
        # Without what pulls messages out of the queues: there is no Lambda here that could run the function, and the emulator
        # gives up on a message after a few tries, even when the mapping has been deleted since.
        outputs, _ = self.create("road", stack.FULL_HUB, without=("TriageAlarms", "TriageNotices"))
        sent = [(name, rule, event) for name, rule, event in samples.SAMPLES if name not in NOT_FOR_THE_EMULATOR]
        entries = [
            {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])} for _, _, event in sent
        ]
        events = self.aws.client("events")
        for at in range(0, len(entries), 10):
            self.assertEqual(events.put_events(Entries=entries[at : at + 10])["FailedEntryCount"], 0)
        for queue, is_its in (
            ("AlarmsQueueUrl", lambda rule: rule == "TamperingRule"),
            ("NoticesQueueUrl", lambda rule: rule not in (None, "TamperingRule")),
        ):
            bodies = self.received(outputs[queue])
            self.assertTrue(all(body["detail-type"] for body in bodies))
            arrived = sorted(body["detail"]["eventID"] for body in bodies)
            self.assertEqual(arrived, sorted(event["detail"]["eventID"] for _, rule, event in sent if is_its(rule)), queue)
