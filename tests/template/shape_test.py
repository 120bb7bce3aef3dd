"""What the template declares: parameters, conditions, resources and how they hang together, in both modes."""

import json
import re
import unittest

import stack
from stack import Stack, TemplateError

SOURCE = stack.source()
TRANSLATED = stack.translate(SOURCE)
HUBS = {"bare": {}, "full": stack.FULL_HUB, "without grants": {"GrantMode": "none"}}
FORWARDERS = {"bare": stack.FORWARDER, "full": stack.FULL_FORWARDER}
PLACES = [("aws", "eu-west-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")]

SECRET_PARAMETERS = ("SlackBotTokenSecret", "SlackNoticesWebhookSecret", "SlackAlarmsWebhookSecret")


def stacks():
    """A stack of each mode, with as few and as many parameters as may be."""
    return {
        **{f"hub, {name}": Stack(TRANSLATED, given) for name, given in HUBS.items()},
        **{f"forwarder, {name}": Stack(TRANSLATED, given) for name, given in FORWARDERS.items()},
    }


def walk(body):
    """Every object inside."""
    if isinstance(body, dict):
        yield body
    for inner in body.values() if isinstance(body, dict) else body if isinstance(body, list) else []:
        yield from walk(inner)


class Parameters(unittest.TestCase):
    def test_each_says_what_it_is_and_takes_nothing_else(self):
        for name, parameter in SOURCE["Parameters"].items():
            with self.subTest(name):
                self.assertGreater(len(parameter["Description"]), 15)
                self.assertTrue(parameter["ConstraintDescription"])
                self.assertTrue("AllowedPattern" in parameter or "AllowedValues" in parameter)
                self.assertIn("Default", parameter)

    def test_each_stands_in_one_group_and_has_a_label(self):
        interface = SOURCE["Metadata"]["AWS::CloudFormation::Interface"]
        grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
        self.assertEqual(sorted(grouped), sorted(SOURCE["Parameters"]))
        self.assertEqual(sorted(interface["ParameterLabels"]), sorted(SOURCE["Parameters"]))

    def test_each_parameter_and_condition_is_used(self):
        body = json.dumps({key: TRANSLATED[key] for key in ("Resources", "Conditions", "Outputs")})
        for name in TRANSLATED["Parameters"]:
            self.assertTrue(f'"Ref": "{name}"' in body or f"${{{name}}}" in body, name)
        for name in TRANSLATED["Conditions"]:
            named = f'"Condition": "{name}"' in body or f'"Fn::If": ["{name}"' in body
            self.assertTrue(named, f"the condition {name} decides nothing")

    def test_nothing_hostile_gets_in(self):
        hostile = ['x"y', "x\\y", "x\ny", "x\ry", "x\ty", "x y", "x'y", "${x}", "x*y*", "x?y", '"', "\\", "x\x00", "é", "x\u2028y"]
        for name, parameter in SOURCE["Parameters"].items():
            for text in hostile:
                if name == "ProtectedNames" and "*" in text:
                    continue
                with self.subTest(name, text=text), self.assertRaises(TemplateError):
                    Stack(TRANSLATED, {name: text})

    def test_a_secret_itself_is_refused(self):
        secrets = [
            "xoxb-0000-placeholder",
            "https://hooks.slack.example/services/T0/B0/x",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:*",
            "arn:aws:iam::111122223333:role/x",
            # Without the six characters: Secrets Manager would find it, and the role's policy would not fit.
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/slack",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slack-AbCdE",
        ]
        for name in SECRET_PARAMETERS:
            for text in secrets:
                with self.subTest(name, text=text), self.assertRaises(TemplateError):
                    Stack(TRANSLATED, {name: text})

    def test_what_is_legal_gets_in(self):
        legal = {
            "TrailBucket": "a.b-c.1",
            "TrailKeyArn": "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
            "TrailLogGroup": "/aws/x_y.z#1",
            "TrailLogRole": "CloudTrail_CloudWatchLogs_Role+=,.@-",
            "ProtectedNames": "break-glass-*,OrgAdmin,a.b@c",
            "RolePath": "/a/b-c/",
            "PermissionsBoundary": "arn:aws:iam::aws:policy/PowerUserAccess",
            "SlackBotTokenSecret": "team/slack_bot+=.@-x",
            "NoticesEmail": "first.last+trail@mail.example.com",
            "SlackNoticesChannel": "G012AB34C",
        }
        Stack(TRANSLATED, legal)
        for one in ("/a", "a/", "//", "/a//b/"):
            with self.subTest(one), self.assertRaises(TemplateError):
                Stack(TRANSLATED, {"RolePath": one})

    def test_combinations_that_cannot_work_are_refused(self):
        bot, notices, alarms = {"SlackBotTokenSecret": "b"}, {"SlackNoticesChannel": "C0123456"}, {"SlackAlarmsChannel": "C6543210"}
        hooks = {"SlackNoticesWebhookSecret": "n", "SlackAlarmsWebhookSecret": "a"}
        for fine in ({}, stack.FULL_HUB, stack.FULL_FORWARDER, bot | notices | alarms, hooks, bot | notices | {"SlackAlarmsWebhookSecret": "a"}):
            self.assertEqual(Stack(TRANSLATED, fine).broken_rules(), [], fine)
        for wrong in (
            {"Mode": "forwarder"}, notices, alarms, bot, bot | notices, bot | alarms,
            bot | notices | alarms | {"SlackNoticesWebhookSecret": "n"}, bot | notices | alarms | {"SlackAlarmsWebhookSecret": "a"},
        ):
            self.assertNotEqual(Stack(TRANSLATED, wrong).broken_rules(), [], wrong)


class Structure(unittest.TestCase):
    def test_nothing_dangles_in_any_mode_or_partition(self):
        for given in (*HUBS.values(), *FORWARDERS.values()):
            for partition, region in PLACES:
                with self.subTest(given.get("Mode", "hub"), partition=partition):
                    Stack(TRANSLATED, given, region, partition).everything()

    def test_no_partition_is_written_down(self):
        self.assertNotIn("arn:aws:", stack.TEMPLATE.read_text())
        for given in ({}, {"Mode": "forwarder", "HubEventBusArn": "arn:aws-cn:events:cn-north-1:111122223333:event-bus/default"}):
            text = json.dumps(Stack(TRANSLATED, given, "cn-north-1", "aws-cn").everything())
            self.assertNotRegex(text, r"arn:aws:|amazonaws\.com(?!\.cn)(?=/)")
            self.assertIn("arn:aws-cn:", text)

    def test_every_role_takes_the_boundary_and_the_path(self):
        roles = {name: body["Properties"] for name, body in TRANSLATED["Resources"].items() if body["Type"] == "AWS::IAM::Role"}
        self.assertEqual(set(roles), {"TriageRole", "DecideRole", "ReconcileRole", "ForwardRole"}, "a role that nobody wrote down")
        for name, role in roles.items():
            self.assertEqual(role["Path"], {"Ref": "RolePath"}, name)
            wanted = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
            self.assertEqual(role["PermissionsBoundary"], wanted, name)
        for name, one in stacks().items():
            for role in one.of_type("AWS::IAM::Role").values():
                self.assertEqual(role.get("PermissionsBoundary"), stack.FULL_HUB["PermissionsBoundary"] if "full" in name else None)

    def test_a_forwarder_forwards_and_nothing_else(self):
        for name, one in stacks().items():
            kinds = {body["Type"] for body in one.resources.values()}
            if name.startswith("forwarder"):
                tells = {"AWS::CloudWatch::Alarm", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::KMS::Key"} | ({"AWS::SNS::Subscription"} if "full" in name else set())
                self.assertEqual(kinds, {"AWS::Events::Rule", "AWS::IAM::Role", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy"} | tells)
                self.assertEqual(set(one.of_type("AWS::SQS::Queue")), {"RuleDeadLetters"})
                self.assertEqual(set(one.of_type("AWS::SNS::Topic")), {"AlarmsTopic"})
            else:
                self.assertNotIn("ForwardRole", one.resources)

    def test_without_grants_there_is_nothing_that_could_give_any(self):
        made = stacks()
        none = made["hub, without grants"]
        self.assertEqual(set(none.of_type("AWS::Lambda::Function")), {"Triage"})
        self.assertFalse([body["Type"] for body in none.resources.values() if "ApiGateway" in body["Type"] or body["Type"] == "AWS::IAM::ManagedPolicy"])
        self.assertNotIn("StreamSpecification", none.properties("Table"))
        self.assertEqual(set(none.of_type("AWS::KMS::Key")), {"TopicsKey"})
        for name in ("hub, bare", "hub, full"):
            self.assertEqual(set(made[name].of_type("AWS::Lambda::Function")), {"Triage", "Decide", "Reconcile"})

    def test_each_function_has_its_binary(self):
        for name, body in SOURCE["Resources"].items():
            if body["Type"] == "AWS::Serverless::Function":
                binary = body["Metadata"]["BuildProperties"]["Binary"]
                self.assertEqual(binary, name.lower())
                self.assertTrue((stack.ROOT / "functions" / binary / "src/main.rs").is_file(), binary)

    def test_names_fit_whatever_the_stack_is_called(self):
        # A stack's name may have 128 characters, a queue's 80, a statement's id 64.
        hub = Stack(TRANSLATED, stack.FULL_HUB)
        hub.pseudo["AWS::StackName"] = "s" * 128
        for policy in hub.of_type("AWS::Events::EventBusPolicy").values():
            self.assertRegex(policy["StatementId"], r"^[A-Za-z0-9_-]{1,64}$")
            self.assertIn(stack.STACK_UUID, policy["StatementId"], "two stacks may share a bus")
        for name, queue in hub.of_type("AWS::SQS::Queue").items():
            if "QueueName" in queue:
                self.assertRegex(queue["QueueName"], r"^[A-Za-z0-9_-]{1,80}$")
                self.assertIn(stack.STACK_UUID, queue["QueueName"], name)

    def test_outputs_and_logical_names_are_described(self):
        for name, output in SOURCE["Outputs"].items():
            self.assertTrue(output["Description"], name)


class Function(unittest.TestCase):
    def setUp(self):
        self.hub = Stack(TRANSLATED, stack.FULL_HUB)
        self.function = self.hub.properties("Triage")
        self.settings = self.function["Environment"]["Variables"]

    def test_is_built_and_run_as_the_code_wants(self):
        self.assertEqual(SOURCE["Resources"]["Triage"]["Metadata"], {"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": "triage"}})
        function = self.function
        self.assertEqual((function["Runtime"], function["Handler"], function["Timeout"]), ("provided.al2023", "bootstrap", 30))
        self.assertEqual(function["Architectures"], ["x86_64"])
        self.assertEqual(Stack(TRANSLATED, {"Architecture": "arm64"}).properties("Triage")["Architectures"], ["arm64"])
        self.assertEqual(function["Role"], self.hub.arn("TriageRole"))

    def test_every_setting_is_given(self):
        hub, settings = self.hub, dict(self.settings)
        guardrails = json.loads(settings.pop("TRAILPASS_GUARDRAILS"))
        self.assertEqual(guardrails, {
            "protected": {"names": ["break-glass-*", "OrgAdmin"], "paths": []},
            "trail_resources": {
                "buckets": ["acme-audit-logs"], "keys": [stack.FULL_TRAIL["TrailKeyArn"]], "topics": ["acme-trail"],
                "log_groups": ["/acme/audit/trail"], "roles": ["AuditLogDelivery"],
            },
        })
        self.assertEqual(settings, {
            "TRAILPASS_TABLE": "trailpass-Table",
            "TRAILPASS_NOTICES_TOPIC": "arn:aws:sns:eu-west-1:111122223333:trailpass-NoticesTopic",
            "TRAILPASS_ALARMS_TOPIC": "arn:aws:sns:eu-west-1:111122223333:trailpass-AlarmsTopic",
            "TRAILPASS_NOTICES_TOPIC_FORMAT": "email",
            "TRAILPASS_ALARMS_TOPIC_FORMAT": "email",
            "TRAILPASS_SLACK_BOT_TOKEN_SECRET": "trailpass/slack-bot",
            "TRAILPASS_SLACK_NOTICES_CHANNEL": "C0123456789",
            "TRAILPASS_SLACK_ALARMS_CHANNEL": "",
            "TRAILPASS_SLACK_NOTICES_WEBHOOK_SECRET": "",
            "TRAILPASS_SLACK_ALARMS_WEBHOOK_SECRET": stack.FULL_HUB["SlackAlarmsWebhookSecret"],
            "TRAILPASS_OWN_ROLES": ",".join(hub.arn(role) for role in ("TriageRole", "DecideRole", "ReconcileRole")),
            "TRAILPASS_ALLOW_DIRECT_INVOKE": "false",
            "TRAILPASS_GRANT_MODE": "exact",
            "TRAILPASS_PAGES": "https://trailpass-Api.execute-api.eu-west-1.amazonaws.com/cases/",
            "TRAILPASS_LINK_KEY": hub.arn("LinkKey"),
            "TRAILPASS_SLACK_BUTTONS": "true",
        })

    def test_unset_parameters_are_empty_strings_in_the_guardrails(self):
        settings = Stack(TRANSLATED).properties("Triage")["Environment"]["Variables"]
        resources = {kind: [""] for kind in ("buckets", "keys", "topics", "log_groups", "roles")}
        self.assertEqual(json.loads(settings["TRAILPASS_GUARDRAILS"]), {"protected": {"names": [""], "paths": []}, "trail_resources": resources})

    def test_the_longest_settings_fit(self):
        given = stack.FULL_HUB | {"ProtectedNames": "a" * 1024, "TrailLogGroup": "g" * 400, "TrailTopicName": "t" * 256, "RolePath": f"/{'p' * 254}/"}
        for function in Stack(TRANSLATED, given).of_type("AWS::Lambda::Function").values():
            settings = function["Environment"]["Variables"]
            # Lambda takes 4 KB for all of them.
            self.assertLess(sum(len(name) + len(value) for name, value in settings.items()), 4096)

    def test_the_program_reads_every_setting_that_is_given(self):
        reader = (stack.ROOT / "shared/adapters/src/config.rs").read_text()
        for name in self.settings:
            # An audience's settings are put together there, from TRAILPASS_{who}_TOPIC and the like.
            put_together = re.sub("NOTICES|ALARMS", "{who}", name)
            self.assertTrue(f'"{name}"' in reader or f'"{put_together}"' in reader, name)

    def test_the_log_is_the_one_that_is_kept_and_limited(self):
        self.assertEqual(self.function["LoggingConfig"], {"LogGroup": "trailpass-TriageLogs"})
        logs = Stack(TRANSLATED, {"LogRetentionDays": "365"}).properties("TriageLogs")
        self.assertEqual(logs, {"LogGroupName": "/aws/lambda/trailpass-triage", "RetentionInDays": "365"})

    def test_batches(self):
        sources = self.hub.of_type("AWS::Lambda::EventSourceMapping")
        stream = sources.pop("ReconcileStream")
        self.assertEqual(stream["EventSourceArn"], self.hub._attribute("Table", "StreamArn"))
        self.assertIs(stream["BisectBatchOnFunctionError"], True)
        self.assertEqual(stream["FunctionResponseTypes"], ["ReportBatchItemFailures"])
        self.assertEqual(stream["DestinationConfig"], {"OnFailure": {"Destination": self.hub.arn("StreamDeadLetters")}})
        (wanted,) = stream["FilterCriteria"]["Filters"]
        self.assertEqual(json.loads(wanted["Pattern"])["dynamodb"], {"Keys": {"pk": {"S": [{"prefix": "DECISION#"}]}}})
        # The keys alone: nothing that stands in a record could be believed anyway.
        self.assertEqual(self.hub.properties("Table")["StreamSpecification"], {"StreamViewType": "KEYS_ONLY"})
        self.assertEqual({one["EventSourceArn"] for one in sources.values()}, {self.hub.arn("AlarmsQueue"), self.hub.arn("NoticesQueue")})
        for name, one in sources.items():
            self.assertEqual(one["FunctionResponseTypes"], ["ReportBatchItemFailures"], name)
            self.assertGreaterEqual(one["ScalingConfig"]["MaximumConcurrency"], 2, "Lambda takes no less")
            self.assertLessEqual(one["BatchSize"], 10_000)
            if one["BatchSize"] > 10:
                self.assertGreaterEqual(one["MaximumBatchingWindowInSeconds"], 1, "Lambda wants a window above ten")
            self.assertNotIn("FilterCriteria", one, "what a filter doesn't match is deleted, uncounted")
            self.assertNotIn("Enabled", one)


class Storage(unittest.TestCase):
    def test_queues(self):
        for name, one in stacks().items():
            queues = one.of_type("AWS::SQS::Queue")
            guarded = {queue for policy in one.of_type("AWS::SQS::QueuePolicy").values() for queue in policy["Queues"]}
            self.assertEqual(guarded, {f"trailpass-{queue}" for queue in queues}, name)
            for queue, body in queues.items():
                with self.subTest(name, queue=queue):
                    self.assertIs(body["SqsManagedSseEnabled"], True)
                    self.assertNotIn("KmsMasterKeyId", body)
                    if queue.endswith("DeadLetters"):
                        self.assertEqual(body["MessageRetentionPeriod"], 14 * 24 * 3600)
                    else:
                        self.assertGreaterEqual(body["VisibilityTimeout"], 6 * one.properties("Triage")["Timeout"])
                        self.assertGreaterEqual(body["RedrivePolicy"]["maxReceiveCount"], 5)
                        dead = queue.removesuffix("Queue") + "DeadLetters"
                        self.assertEqual(body["RedrivePolicy"]["deadLetterTargetArn"], one.arn(dead))
                        self.assertLess(body["MessageRetentionPeriod"], one.properties(dead)["MessageRetentionPeriod"])
                        # Two queues, and no other may fill the one of them with what it gave up on.
                        self.assertEqual(one.properties(dead)["RedriveAllowPolicy"], {"redrivePermission": "byQueue", "sourceQueueArns": [one.arn(queue)]})
            self.assertEqual(queues["RuleDeadLetters"]["RedriveAllowPolicy"], {"redrivePermission": "denyAll"}, "rules send here themselves")

    def test_table(self):
        body = TRANSLATED["Resources"]["Table"]
        self.assertEqual((body["DeletionPolicy"], body["UpdateReplacePolicy"]), ("Retain", "Retain"))
        table = Stack(TRANSLATED).properties("Table")
        self.assertEqual(table["KeySchema"], [{"AttributeName": "pk", "KeyType": "HASH"}])
        self.assertEqual(table["AttributeDefinitions"], [{"AttributeName": "pk", "AttributeType": "S"}])
        self.assertEqual(table["TimeToLiveSpecification"], {"AttributeName": "expires", "Enabled": True})
        self.assertEqual(table["BillingMode"], "PAY_PER_REQUEST")
        self.assertEqual(table["PointInTimeRecoverySpecification"], {"PointInTimeRecoveryEnabled": True})
        self.assertEqual(table["SSESpecification"], {"SSEEnabled": True, "SSEType": "KMS"})

    def test_subscriptions_only_where_there_is_an_address(self):
        full = Stack(TRANSLATED, stack.FULL_HUB).of_type("AWS::SNS::Subscription")
        self.assertEqual({one["Endpoint"] for one in full.values()}, {"notices@example.com", "alarms@example.com"})
        self.assertEqual(Stack(TRANSLATED).of_type("AWS::SNS::Subscription"), {})


class Alarms(unittest.TestCase):
    def test_whatever_may_go_wrong_is_told(self):
        hub = Stack(TRANSLATED)
        alarms = hub.of_type("AWS::CloudWatch::Alarm")
        watched = {(one["Namespace"], one["MetricName"], one["Dimensions"][0]["Value"]) for one in alarms.values()}
        queues = hub.of_type("AWS::SQS::Queue")
        wanted = {("AWS/SQS", "ApproximateNumberOfMessagesVisible", hub.queue_name(name)) for name in queues if name.endswith("DeadLetters")}
        wanted |= {("AWS/SQS", "ApproximateAgeOfOldestMessage", hub.queue_name(name)) for name in queues if name.endswith("Queue")}
        wanted |= {("AWS/Lambda", metric, "trailpass-Triage") for metric in ("Errors", "Throttles")}
        # By the function's own name: two stacks in one account and Region are apart.
        wanted |= {("Trailpass", metric, "trailpass-Triage") for metric in ("OwnDenials", "Failed", "Held")}
        self.assertEqual(watched, wanted)
        for name, one in alarms.items():
            self.assertEqual(one["AlarmActions"], ["arn:aws:sns:eu-west-1:111122223333:trailpass-AlarmsTopic"], name)
            self.assertEqual(one["TreatMissingData"], "notBreaching", name)
            self.assertEqual(one["ComparisonOperator"], "GreaterThanThreshold", name)

    def test_the_metrics_are_the_programs(self):
        telemetry = (stack.ROOT / "shared/adapters/src/telemetry.rs").read_text()
        own = [one for one in Stack(TRANSLATED).of_type("AWS::CloudWatch::Alarm").values() if one["Namespace"] == "Trailpass"]
        for text in ("Trailpass", "Function", *(one["MetricName"] for one in own)):
            self.assertIn(f'"{text}"', telemetry)
        main = (stack.ROOT / "functions/triage/src/main.rs").read_text()
        self.assertIn("function = &event.context.env_config.function_name", main)
        self.assertEqual(main.count("emit("), main.count("emit(function, "))

    def test_what_keeps_failing_is_told_and_one_hiccup_is_not(self):
        hub = Stack(TRANSLATED)
        failed = hub.properties("FailedAlarm")
        # A message comes again after its visibility timeout: in each of the periods, if it keeps failing.
        self.assertGreater(failed["Period"], hub.properties("AlarmsQueue")["VisibilityTimeout"])
        self.assertGreaterEqual(failed["EvaluationPeriods"], 3)
        queue = hub.properties("AlarmsQueue")
        self.assertLess(failed["Period"] * failed["EvaluationPeriods"], queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"])

    def test_a_forwarder_tells_of_its_own_failures(self):
        one = Stack(TRANSLATED, stack.FULL_FORWARDER)
        (alarm,) = one.of_type("AWS::CloudWatch::Alarm").values()
        topic = one.outputs()["AlarmsTopicArn"]
        self.assertEqual(alarm["AlarmActions"], [topic])
        (subscription,) = one.of_type("AWS::SNS::Subscription").values()
        self.assertEqual(subscription, {"TopicArn": topic, "Protocol": "email", "Endpoint": "alarms@example.com"})
