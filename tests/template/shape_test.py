"""What the template declares: parameters, conditions, resources and how they hang together, in both modes."""

import json
import re
import unittest

import stack
from stack import Stack, TemplateError

SOURCE = stack.source()
TRANSLATED = stack.translate(SOURCE)
HUBS = {"bare": stack.BARE_HUB, "full": stack.FULL_HUB, "without grants": {"GrantMode": "none"}, "full, ending": stack.FULL_HUB | {"GrantMode": "ending"}}
FORWARDERS = {"bare": stack.FORWARDER, "full": stack.FULL_FORWARDER}
PLACES = [("aws", "eu-west-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")]

SECRET_PARAMETERS = ("SlackBotTokenSecret", "SlackNoticesWebhookSecret", "SlackAlarmsWebhookSecret", "SlackSigningSecret")


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
        body = json.dumps({key: TRANSLATED[key] for key in ("Resources", "Conditions", "Outputs", "Rules")})
        for name in TRANSLATED["Parameters"]:
            self.assertTrue(f'"Ref": "{name}"' in body or f"${{{name}}}" in body, name)
        for name in TRANSLATED["Conditions"]:
            named = f'"Condition": "{name}"' in body or f'"Fn::If": ["{name}"' in body
            self.assertTrue(named, f"the condition {name} decides nothing")

    def test_nothing_hostile_gets_in(self):
        hostile = ['x"y', "x\\y", "x\ny", "x\ry", "x\ty", "x y", "x'y", "${x}", "x*y*", "x?y", '"', "\\", "x\x00", "é", "x\u2028y"]
        for name, parameter in SOURCE["Parameters"].items():
            for text in hostile:
                if name in ("ProtectedNames", "ProtectedArns") and "*" in text:
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
        for name in ("RolePath", "GrantPath"):
            for one in ("/a", "a/", "//", "/a//b/", "/a*/"):
                with self.subTest(one), self.assertRaises(TemplateError):
                    Stack(TRANSLATED, {name: one})
        for name, wrong in {
            "ApproversParameter": ("approvers", "/", "/a/", "/a//b", "/a*", "/a?", "/a/../b c"),
            "ApprovalRulesParameter": ("arn:aws:ssm:eu-west-1:111122223333:parameter/a", "/a/*"),
            "GrantBoundary": ("arn:aws:iam::111122223333:policy/*", "arn:aws:iam::111122223333:role/x", "boundary"),
            "ProtectedArns": ("*", "OrgAdmin", "arn:aws:iam::111122223333:*", "arn:aws:iam::111122223333:policy/x", "arn:aws:iam::111122223333:role/a,b"),
            "SlackSigningSecret": ("0123456789abcdef" * 2,), "SlackAppId": ("U0123456789", "a0123456789"), "SlackTeamId": ("C0123456789", "acme"),
            "AuditRetentionDays": ("1", "14", "401"), "GrantMode": ("all", ""),
        }.items():
            for one in wrong:
                with self.subTest(name, text=one), self.assertRaises(TemplateError):
                    Stack(TRANSLATED, {name: one})

    def test_combinations_that_cannot_work_are_refused(self):
        bot, notices, alarms = {"SlackBotTokenSecret": "b"}, {"SlackNoticesChannel": "C0123456"}, {"SlackAlarmsChannel": "C6543210"}
        hooks = {"SlackNoticesWebhookSecret": "n", "SlackAlarmsWebhookSecret": "a"}
        bare = stack.BARE_HUB
        heard = {"AlarmsAreSubscribedElsewhere": "true"}
        none, app = {"GrantMode": "none"} | heard, {"SlackSigningSecret": "s", "SlackAppId": "A0123456", "SlackTeamId": "T0123456"}
        boundary = {"GrantBoundary": stack.FULL_HUB["GrantBoundary"]}
        for fine in (bare, none, stack.FULL_HUB, stack.FULL_FORWARDER, bot | notices | alarms | bare, hooks | bare, bot | notices | bare | {"SlackAlarmsWebhookSecret": "a"},
                     bot | notices | alarms | bare | app, none | bot | notices | alarms | app,
                     # Switched off in a hurry, by this one parameter.
                     stack.FULL_HUB | none, none | app | boundary,
                     # What is the hub's is no forwarder's business.
                     stack.FORWARDER | app | boundary, stack.FORWARDER | {"SlackAppId": "A0123456"}, stack.FORWARDER | {"GrantMode": "exact"}):
            self.assertEqual(Stack(TRANSLATED, fine).broken_rules(), [], fine)
        full = bot | notices | alarms | bare
        for wrong in (
            heard, heard | {"GrantMode": "exact"}, heard | {"GrantMode": "managed"}, heard | {"GrantMode": "ending"}, {"ApproversParameter": "/a"}, bare | boundary, bare | app, full | app | {"SlackAppId": ""}, full | app | {"SlackTeamId": ""},
            full | {"SlackAppId": "A0123456"}, full | {"SlackTeamId": "T0123456"},
        ):
            self.assertEqual(len(Stack(TRANSLATED, wrong).broken_rules()), 1, wrong)
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
        # Whatever else is given.
        whole = Stack(TRANSLATED, stack.FULL_HUB | {"GrantMode": "none"})
        grown = set(whole.resources) - set(none.resources)
        self.assertEqual({whole.resources[name]["Type"] for name in grown}, {"AWS::IAM::Policy", "AWS::SNS::Subscription", "AWS::Events::EventBusPolicy"})
        self.assertFalse([name for name in grown if "Grant" in name or "Signing" in name or "Decide" in name or "Reconcile" in name])
        for one in (none, whole):
            self.assertEqual(set(one.of_type("AWS::IAM::Role")), {"TriageRole"})
            # To ask what a policy comes to is no power over anybody.
            policies = json.dumps([one.properties(name) for name, body in one.resources.items() if body["Type"] == "AWS::IAM::Policy"])
            self.assertNotIn('"iam:', policies.replace('"iam:SimulatePrincipalPolicy"', ""))
            self.assertNotIn("kms:GenerateMac", json.dumps(one.everything()))
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
        (api,) = hub.of_type("AWS::ApiGatewayV2::Api").values()
        self.assertLessEqual(len(api["Name"]), 128)
        self.assertLessEqual(len(hub.properties("Dashboard")["DashboardName"]), 255)
        for name, group in hub.of_type("AWS::Logs::LogGroup").items():
            self.assertRegex(group["LogGroupName"], r"^[A-Za-z0-9_./#-]{1,512}$", name)

    def test_outputs_and_logical_names_are_described(self):
        for name, output in SOURCE["Outputs"].items():
            self.assertTrue(output["Description"], name)


class Function(unittest.TestCase):
    def setUp(self):
        self.hub = Stack(TRANSLATED, stack.FULL_HUB)
        self.all = {name: one["Environment"]["Variables"] for name, one in self.hub.of_type("AWS::Lambda::Function").items()}
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
            "protected": {"names": ["break-glass-*", "OrgAdmin"], "paths": []}, "grants": {"accounts": ["111122223333"], "paths": ["/people/"]}, "alarm_on_blinding": True,
            "trail_resources": {
                "buckets": ["acme-audit-logs"], "keys": [stack.FULL_TRAIL["TrailKeyArn"]], "topics": ["acme-trail"],
                "log_groups": ["/acme/audit/trail"], "roles": ["AuditLogDelivery"],
            },
        })
        self.assertEqual(settings, {
            "TRAILPASS_TABLE": "trailpass-Table",
            "TRAILPASS_STACK": hub.pseudo["AWS::StackId"],
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
            "TRAILPASS_LOOK_UP": "true",
            "TRAILPASS_GRANT_MODE": "exact",
            "TRAILPASS_PAGES": "https://trailpass-Api.execute-api.eu-west-1.amazonaws.com/cases/",
            "TRAILPASS_LINK_KEY": hub.arn("LinkKey"),
            "TRAILPASS_SLACK_BUTTONS": "true",
        })

    def test_decide_and_reconcile_have_what_each_of_them_reads(self):
        hub, triage, decide, reconcile = self.hub, *(self.all[name] for name in ("Triage", "Decide", "Reconcile"))
        shared = {name for name in triage if triage[name] == decide.get(name) == reconcile.get(name)}
        self.assertEqual(shared, {"TRAILPASS_TABLE", "TRAILPASS_STACK", "TRAILPASS_GRANT_MODE", "TRAILPASS_GUARDRAILS", "TRAILPASS_LINK_KEY"})
        self.assertEqual({name: value for name, value in decide.items() if name not in shared}, {
            "TRAILPASS_MAC_KEY": hub.arn("DecisionsKey"),
            "TRAILPASS_APPROVERS": "/trailpass/approvers",
            "TRAILPASS_APPROVAL_RULES": "/trailpass/approval-rules",
            "TRAILPASS_SLACK_SIGNING_SECRET": "trailpass/slack-signing",
            "TRAILPASS_SLACK_APP": "A0123456789",
            "TRAILPASS_SLACK_TEAM": "T0123456789",
        })
        # Triage's ways of telling, so that one message is brought up to date by both.
        triages_alone = {"TRAILPASS_OWN_ROLES", "TRAILPASS_ALLOW_DIRECT_INVOKE", "TRAILPASS_LOOK_UP"}
        self.assertEqual({name: value for name, value in reconcile.items() if name not in triage}, {
            "TRAILPASS_MAC_KEY": hub.arn("DecisionsKey"),
            "TRAILPASS_PERMISSIONS_BOUNDARY": stack.FULL_HUB["GrantBoundary"],
        })
        self.assertEqual({name for name in triage if triage[name] != reconcile.get(name)}, triages_alone)

    def test_where_nothing_is_granted_there_is_no_page_and_no_button(self):
        settings = Stack(TRANSLATED, stack.FULL_HUB | {"GrantMode": "none"}).properties("Triage")["Environment"]["Variables"]
        self.assertEqual(
            {name: settings[f"TRAILPASS_{name}"] for name in ("GRANT_MODE", "PAGES", "LINK_KEY", "SLACK_BUTTONS")},
            {"GRANT_MODE": "none", "PAGES": "", "LINK_KEY": "", "SLACK_BUTTONS": "false"},
        )

    def test_unset_parameters_are_empty_strings_in_the_guardrails(self):
        settings = Stack(TRANSLATED).properties("Triage")["Environment"]["Variables"]
        resources = {kind: [""] for kind in ("buckets", "keys", "topics", "log_groups", "roles")}
        self.assertEqual(json.loads(settings["TRAILPASS_GUARDRAILS"]), {"protected": {"names": [""], "paths": []}, "grants": {"accounts": ["111122223333"], "paths": ["/"]}, "alarm_on_blinding": True, "trail_resources": resources})

    def test_the_longest_settings_fit(self):
        given = stack.FULL_HUB | {"ProtectedNames": "a" * 1024, "TrailLogGroup": "g" * 400, "TrailTopicName": "t" * 256, "RolePath": f"/{'p' * 254}/",
                                  "ApproversParameter": "/a" * 9, "SlackSigningSecret": "s" * 512}
        for function in Stack(TRANSLATED, given).of_type("AWS::Lambda::Function").values():
            settings = function["Environment"]["Variables"]
            # Lambda takes 4 KB for all of them.
            self.assertLess(sum(len(name) + len(value) for name, value in settings.items()), 4096)

    def test_the_program_reads_every_setting_that_is_given(self):
        reader = (stack.ROOT / "shared/adapters/src/config.rs").read_text()
        reader, _ = reader.split("#[cfg(test)]")
        # An audience's settings are put together there, from TRAILPASS_{who}_TOPIC and the like.
        read = {whole for name in re.findall(r'"(TRAILPASS_[A-Z_{}a-z]+)"', reader) for whole in (name.replace("{who}", "NOTICES"), name.replace("{who}", "ALARMS"))}
        self.assertGreater(len(read), 20)
        given = set().union(*self.all.values())
        self.assertEqual(given - read, set(), "given and not read")
        # Another address for Slack's methods is for tests.
        self.assertEqual(read - given, {"TRAILPASS_SLACK_API"}, "read and not given")
        # By no other way, and nothing that only looks like a setting.
        written = set(re.findall(r"\bTRAILPASS_[A-Z_]+", stack.TEMPLATE.read_text()))
        self.assertEqual(written, given)

    def test_every_function_gets_what_it_cannot_start_without(self):
        for one in (Stack(TRANSLATED, stack.BARE_HUB), self.hub):
            for name, function in one.of_type("AWS::Lambda::Function").items():
                main = (stack.ROOT / "functions" / name.lower() / "src/main.rs").read_text()
                settings = function["Environment"]["Variables"]
                for needed in ("TRAILPASS_TABLE", *re.findall(r'"(TRAILPASS_[A-Z_]+) is missing', main)):
                    self.assertTrue(settings[needed], (name, needed))

    def test_the_command_line_finds_the_stack_by_its_name(self):
        for given, wanted in (
            (stack.FULL_HUB, {"answers": "https://trailpass-Api.execute-api.eu-west-1.amazonaws.com/answers", "grant_mode": "exact",
                              "approvers": "/trailpass/approvers", "approval_rules": "/trailpass/approval-rules"}),
            (stack.FULL_HUB | {"GrantMode": "none"}, {"answers": "", "grant_mode": "none", "approvers": "", "approval_rules": ""}),
            (stack.FULL_HUB | {"GrantMode": "ending"}, {"answers": "https://trailpass-Api.execute-api.eu-west-1.amazonaws.com/answers", "grant_mode": "none",
                                                        "approvers": "/trailpass/approvers", "approval_rules": "/trailpass/approval-rules"}),
        ):
            hub = Stack(TRANSLATED, given)
            settings = hub.properties("Settings")
            self.assertEqual((settings["Name"], settings["Type"]), ("/trailpass/stacks/trailpass", "String"))
            # What the functions keep to, so that nobody is shown what is refused when it is asked for; Systems Manager takes 8 KB.
            wanted = wanted | {"guardrails": json.loads(hub.properties("Triage")["Environment"]["Variables"]["TRAILPASS_GUARDRAILS"])}
            self.assertEqual(json.loads(settings["Value"]), {"schema": "trailpass.stack/1", "stack": hub.pseudo["AWS::StackId"], "table": "trailpass-Table"} | wanted)
        # Each parameter as long as it may be, in the shortest names, which are the most.
        longest = {"ProtectedNames": ",".join("a" * 512), "TrailBucket": "b" * 63, "TrailKeyArn": stack.FULL_HUB["TrailKeyArn"], "TrailTopicName": "t" * 256,
                   "TrailLogGroup": "g" * 400, "TrailLogRole": "r" * 64, "ApproversParameter": ("/" + "p" * 100) * 9, "ApprovalRulesParameter": ("/" + "q" * 100) * 9}
        self.assertLessEqual(len(Stack(TRANSLATED, stack.FULL_HUB | longest).properties("Settings")["Value"]), 8192)
        self.assertNotIn("Settings", Stack(TRANSLATED, stack.FULL_FORWARDER).resources)

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
    def setUp(self):
        self.hub = Stack(TRANSLATED, stack.BARE_HUB)

    def test_whatever_may_go_wrong_is_told(self):
        hub = self.hub
        alarms = hub.of_type("AWS::CloudWatch::Alarm")
        sweeps, lost = alarms.pop("NoSweepAlarm"), alarms.pop("LostEventsAlarm")
        # Silence is what it is about: a test of its own has it.
        self.assertEqual(alarms.pop("CanaryAlarm")["AlarmActions"], lost["AlarmActions"])
        watched = {(one["Namespace"], one["MetricName"], one["Dimensions"][0]["Value"]) for one in alarms.values()}
        queues = hub.of_type("AWS::SQS::Queue")
        wanted = {("AWS/SQS", "ApproximateNumberOfMessagesVisible", hub.queue_name(name)) for name in queues if name.endswith("DeadLetters")}
        wanted |= {("AWS/SQS", "ApproximateAgeOfOldestMessage", hub.queue_name(name)) for name in queues if name.endswith("Queue")}
        # By the function's own name: two stacks in one account and Region are apart.
        for function, own in {
            "Triage": {"Held"},
            "Decide": {"InvalidRules", "EscalationTries"},
            "Reconcile": {"Overdue", "Unvouched", "Orphans"},
        }.items():
            wanted |= {("AWS/Lambda", metric, f"trailpass-{function}") for metric in ("Errors", "Throttles")}
            wanted |= {("Trailpass", metric, f"trailpass-{function}") for metric in own | {"OwnDenials", "Failed"}}
        wanted |= {("AWS/Events", "InvocationsFailedToBeSentToDlq", "trailpass-BlindingRule")}
        wanted |= {("AWS/Lambda", "IteratorAge", "trailpass-Reconcile"), ("AWS/ApiGateway", "5xx", "trailpass-Api")}
        self.assertEqual(watched, wanted)
        # Without grants there is nothing to watch of it; an alarm on what isn't there would be breaching for ever.
        none = Stack(TRANSLATED, {"GrantMode": "none"}).of_type("AWS::CloudWatch::Alarm")
        self.assertEqual(set(none), {name for name, body in TRANSLATED["Resources"].items() if body["Type"] == "AWS::CloudWatch::Alarm" and body.get("Condition") != "Grants"})
        expression, *metrics = lost["Metrics"]
        self.assertEqual(expression["Expression"], "SUM(METRICS())")
        rules = {metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for metric in metrics}
        self.assertEqual(rules, {f"trailpass-{rule}" for rule in hub.denial_rules()})
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html
        self.assertLessEqual(len(metrics), 10)
        self.assertEqual({metric["MetricStat"]["Metric"]["MetricName"] for metric in metrics}, {"InvocationsFailedToBeSentToDlq"})
        self.assertEqual(lost["AlarmActions"], ["arn:aws:sns:eu-west-1:111122223333:trailpass-AlarmsTopic"])
        self.assertEqual(sweeps["AlarmActions"], ["arn:aws:sns:eu-west-1:111122223333:trailpass-AlarmsTopic"])
        for name, one in alarms.items():
            self.assertEqual(one["AlarmActions"], ["arn:aws:sns:eu-west-1:111122223333:trailpass-AlarmsTopic"], name)
            self.assertEqual(one["TreatMissingData"], "notBreaching", name)
            self.assertEqual(one["ComparisonOperator"], "GreaterThanThreshold", name)

    def test_silence_is_an_alarm(self):
        alarm = self.hub.properties("NoSweepAlarm")
        self.assertEqual((alarm["TreatMissingData"], alarm["ComparisonOperator"], alarm["Threshold"]), ("breaching", "LessThanThreshold", 1))
        watched = {one["Id"]: one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one}
        metrics = {(one["Metric"]["Namespace"], one["Metric"]["MetricName"], one["Metric"]["Dimensions"][0]["Value"], one["Stat"]) for one in watched.values()}
        self.assertEqual(metrics, {("AWS/Events", "Invocations", "trailpass-SweepRule", "Sum"), ("Trailpass", "Received", "trailpass-Reconcile", "SampleCount")})
        (expression,) = (one["Expression"] for one in alarm["Metrics"] if "Expression" in one)
        self.assertEqual(set(re.findall(r"FILL\((\w+), 0\)", expression)), set(watched), "the silence of either is a silence")
        minutes = int(re.fullmatch(r"rate\((\d+) minutes\)", self.hub.properties("SweepRule")["ScheduleExpression"])[1])
        for one in watched.values():
            self.assertEqual(one["Period"] * alarm["EvaluationPeriods"], 15 * 60)
            self.assertGreaterEqual(one["Period"], 2 * 60 * minutes, "one sweep may be lost")

    def test_the_metrics_are_the_programs(self):
        """Each is one that the function it is watched for does emit."""
        telemetry = (stack.ROOT / "shared/adapters/src/telemetry.rs").read_text()
        names = dict(re.findall(r'Self::(\w+) => "(\w+)"', telemetry))
        self.assertIn('NAMESPACE: &str = "Trailpass"', telemetry)
        self.assertIn('"Dimensions": [["Function"]]', telemetry)
        watched = {(one["MetricName"], one["Dimensions"][0]["Value"]) for one in self.hub.of_type("AWS::CloudWatch::Alarm").values() if one.get("Namespace") == "Trailpass"}
        watched |= {(name, function) for widget in self.dashboard()["widgets"] for space, name, _, function, *_ in widget["properties"]["metrics"] if space == "Trailpass"}
        for function in ("triage", "decide", "reconcile"):
            handle = (stack.ROOT / "functions" / function / "src/handle.rs").read_text()
            (listed,) = re.findall(r"\[Metric; \d+\] = \[(.*?)\];", handle, re.DOTALL)
            emitted = {names[name] for name in re.findall(r"Metric::(\w+)", listed)}
            asked = {name for name, of in watched if of == f"trailpass-{function.capitalize()}"}
            self.assertGreater(len(asked), 2)
            self.assertLessEqual(asked, emitted, function)
            main = (stack.ROOT / "functions" / function / "src/main.rs").read_text()
            self.assertIn("function = &event.context.env_config.function_name", main)
            self.assertEqual(main.count("emit("), main.count("emit(function, "))

    def dashboard(self):
        return json.loads(self.hub.properties("Dashboard")["DashboardBody"])

    def test_the_dashboard_shows_what_is_there(self):
        # Dashboards belong to an account: two Regions, two names.
        self.assertEqual(self.hub.properties("Dashboard")["DashboardName"], "trailpass-eu-west-1")
        widgets = self.dashboard()["widgets"]
        taken = [(widget["x"] + x, widget["y"] + y) for widget in widgets for x in range(widget["width"]) for y in range(widget["height"])]
        self.assertEqual(len(taken), len(set(taken)), "one lies on another")
        self.assertLessEqual(max(x for x, _ in taken), 23)
        shown = {metric[-1] if isinstance(metric[-1], str) else metric[-2] for widget in widgets for metric in widget["properties"]["metrics"]}
        self.assertEqual(shown, {f"trailpass-{name}" for name in ("Triage", "Decide", "Reconcile", "Api")})
        for widget in widgets:
            self.assertEqual(widget["properties"]["region"], "eu-west-1")
            self.assertTrue(widget["properties"]["title"])

    def test_what_keeps_failing_is_told_and_one_hiccup_is_not(self):
        hub = Stack(TRANSLATED)
        failed = hub.properties("FailedAlarm")
        # A message comes again after its visibility timeout: in each of the periods, if it keeps failing.
        self.assertGreater(failed["Period"], hub.properties("AlarmsQueue")["VisibilityTimeout"])
        self.assertGreaterEqual(failed["EvaluationPeriods"], 3)
        queue = hub.properties("AlarmsQueue")
        self.assertLess(failed["Period"] * failed["EvaluationPeriods"], queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"])

    def test_a_canary_that_stays_away_is_told_after_an_hour_and_a_quarter(self):
        rule, alarm = self.hub.properties("CanaryRule"), self.hub.properties("CanaryAlarm")
        (target,) = rule["Targets"]
        self.assertEqual(target["Arn"], self.hub.arn("NoticesQueue"), "it passes all that a denial passes")
        program = (stack.ROOT / "functions/triage/src/canary.rs").read_text()
        self.assertIn(f'r#"{target["Input"]}"#', program)
        self.assertEqual((alarm["Period"] * alarm["EvaluationPeriods"], rule["ScheduleExpression"]), (75 * 60, "rate(1 hour)"))
        self.assertEqual((alarm["TreatMissingData"], alarm["Threshold"], alarm["ComparisonOperator"]), ("breaching", 1, "LessThanThreshold"))

    def test_a_forwarder_tells_of_its_own_failures(self):
        one = Stack(TRANSLATED, stack.FULL_FORWARDER)
        alarms = one.of_type("AWS::CloudWatch::Alarm")
        topic = one.outputs()["AlarmsTopicArn"]
        self.assertEqual(set(alarms), {"RuleDeadLettersAlarm", "LostEventsAlarm", "LostBlindingAlarm"})
        for alarm in alarms.values():
            self.assertEqual(alarm["AlarmActions"], [topic])
        (subscription,) = one.of_type("AWS::SNS::Subscription").values()
        self.assertEqual(subscription, {"TopicArn": topic, "Protocol": "email", "Endpoint": "alarms@example.com"})
