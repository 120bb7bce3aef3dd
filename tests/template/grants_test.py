"""Who may do what about approvals and grants: three powers that must never meet, and what IAM itself keeps reconcile from."""

import json
import re
import unittest

import stack
from policy import Request, actions, is_allowed
from powers_test import ACCOUNT, ADMINISTRATOR, ALL, SECRET, policies_of
from shape_test import TRANSLATED, Stack

OWN = [f"arn:aws:iam::{ACCOUNT}:policy/trailpass/trailpass-{name}" for name in ("trail-read", "event-lookup", "lake-query")]
ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"
FUNCTIONS = ("Triage", "Decide", "Reconcile")
BOUNDARY = stack.FULL_HUB["GrantBoundary"]
EXACT = {"GrantMode": "exact"}


def may(one, role, action, resource, context=(), key=None):
    """Whether a function's role may: by its own policies, and for a key by the key's alone."""
    request = Request(action, resource, one.arn(f"{role}Role"), context=dict(context))
    return is_allowed(request, policies_of(one, f"{role}Role"), [key] if key else [])


def entity(kind, name, path="/"):
    return f"arn:aws:iam::{ACCOUNT}:{kind}{path}{name}"


class Decide(unittest.TestCase):
    def setUp(self):
        self.hub = Stack(TRANSLATED, stack.FULL_HUB)

    def test_may_read_cases_and_write_decisions(self):
        table = self.hub.arn("Table")
        for key in ("CASE#x", "PRINCIPAL#x", "DECISION#x", "GRANT#x"):
            self.assertTrue(may(self.hub, "Decide", "dynamodb:BatchGetItem", table, {"dynamodb:LeadingKeys": [key]}), key)
            writes = may(self.hub, "Decide", "dynamodb:PutItem", table, {"dynamodb:LeadingKeys": [key]})
            self.assertEqual(writes, key.startswith("DECISION#"), key)
        self.assertFalse(may(self.hub, "Decide", "dynamodb:PutItem", table, {"dynamodb:LeadingKeys": ["DECISION#x", "CASE#x"]}))
        self.assertFalse(may(self.hub, "Decide", "dynamodb:PutItem", table), "a request without keys")
        for action in ("DeleteItem", "UpdateItem", "Scan", "Query", "PartiQLInsert", "PartiQLUpdate", "BatchWriteItem"):
            self.assertFalse(may(self.hub, "Decide", f"dynamodb:{action}", table, {"dynamodb:LeadingKeys": ["DECISION#x"]}), action)
        for name in ("approvers", "approval-rules"):
            self.assertTrue(may(self.hub, "Decide", "ssm:GetParameter", f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/trailpass/{name}"))
            self.assertFalse(may(self.hub, "Decide", "ssm:PutParameter", f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/trailpass/{name}"))
        self.assertFalse(may(self.hub, "Decide", "ssm:GetParameter", f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/trailpass/other"))
        self.assertTrue(may(self.hub, "Decide", "secretsmanager:GetSecretValue", SECRET + "trailpass/slack-signing-a1B2c3"))
        self.assertFalse(may(self.hub, "Decide", "secretsmanager:GetSecretValue", SECRET + "trailpass/slack-bot-a1B2c3"))
        theirs = SECRET.replace(ACCOUNT, "444455556666") + "slack-AbCdEf"
        hub = Stack(TRANSLATED, stack.FULL_HUB | {"SlackSigningSecret": theirs})
        self.assertFalse(may(hub, "Decide", "secretsmanager:GetSecretValue", theirs))

    def test_tells_nobody(self):
        for topic in ("Alarms", "Notices"):
            self.assertFalse(may(self.hub, "Decide", "sns:Publish", f"arn:aws:sns:eu-west-1:{ACCOUNT}:trailpass-{topic}Topic"))

    def test_touches_nothing_in_iam_and_calls_nobody(self):
        for document in policies_of(self.hub, "DecideRole"):
            services = {action.split(":")[0] for action in actions(document)}
            self.assertLessEqual(services, {"logs", "dynamodb", "ssm", "secretsmanager", "kms"})

    def test_needs_neither_rules_nor_slack(self):
        bare = Stack(TRANSLATED, stack.BARE_HUB | {"SecretsKeyArn": stack.FULL_HUB["SecretsKeyArn"]})
        powers = {action for document in policies_of(bare, "DecideRole") for action in actions(document)}
        self.assertFalse([action for action in powers if action.startswith(("secretsmanager:", "kms:"))])
        (reads,) = [s["Resource"] for document in policies_of(bare, "DecideRole") for s in document["Statement"] if s["Action"] == "ssm:GetParameter"]
        self.assertEqual(reads, [f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/trailpass/approvers"])


class Keys(unittest.TestCase):
    def setUp(self):
        self.hub = Stack(TRANSLATED, stack.FULL_HUB)

    def test_who_may_vouch_may_not_check_and_nobody_else_may_either(self):
        sha = {"kms:MacAlgorithm": "HMAC_SHA_256"}
        wanted = {
            "DecisionsKey": {("Decide", "kms:GenerateMac"), ("Reconcile", "kms:VerifyMac")},
            "LinkKey": {("Triage", "kms:GenerateMac"), ("Reconcile", "kms:GenerateMac"), ("Decide", "kms:VerifyMac")},
        }
        for name, allowed in wanted.items():
            key = self.hub.properties(name)
            self.assertEqual((key["KeySpec"], key["KeyUsage"]), ("HMAC_256", "GENERATE_VERIFY_MAC"))
            for role in FUNCTIONS:
                for action in ("kms:GenerateMac", "kms:VerifyMac", "kms:CreateGrant", "kms:PutKeyPolicy"):
                    found = may(self.hub, role, action, self.hub.arn(name), sha, key["KeyPolicy"])
                    self.assertEqual(found, (role, action) in allowed, (name, role, action))
            root = f"arn:aws:iam::{ACCOUNT}:root"
            use = lambda action, who=root, document=key["KeyPolicy"], on=self.hub.arn(name): is_allowed(Request(action, on, who, context=sha), [], [document])
            for action in ("kms:GenerateMac", "kms:VerifyMac", "kms:CreateGrant"):
                # The policy lends the account's own policies no right to use the key.
                self.assertFalse(use(action), (name, action))
            self.assertTrue(use("kms:PutKeyPolicy"), "or nobody could ever change it")


class Reconcile(unittest.TestCase):
    def setUp(self):
        self.managed = Stack(TRANSLATED)
        self.exact = Stack(TRANSLATED, stack.FULL_HUB)

    def test_remembers_grants_and_neither_cases_nor_decisions(self):
        table = self.exact.arn("Table")
        for key in ("CASE#x", "OPENED#x", "PRINCIPAL#x", "DECISION#x", "GRANT#x"):
            self.assertTrue(may(self.exact, "Reconcile", "dynamodb:BatchGetItem", table, {"dynamodb:LeadingKeys": [key]}), key)
            writes = may(self.exact, "Reconcile", "dynamodb:PutItem", table, {"dynamodb:LeadingKeys": [key]})
            self.assertEqual(writes, key.startswith("GRANT#"), key)
        self.assertFalse(may(self.exact, "Reconcile", "dynamodb:PutItem", table, {"dynamodb:LeadingKeys": ["GRANT#x", "DECISION#x"]}))
        self.assertFalse(may(self.exact, "Reconcile", "dynamodb:PutItem", table), "a request without keys")
        for action in ("DeleteItem", "UpdateItem", "Scan", "Query", "PartiQLInsert", "PartiQLUpdate", "BatchWriteItem"):
            self.assertFalse(may(self.exact, "Reconcile", f"dynamodb:{action}", table, {"dynamodb:LeadingKeys": ["GRANT#x"]}), action)

    def test_attaches_the_stacks_own_policies_and_no_other(self):
        for one, path in ((self.managed, "/"), (self.exact, "/people/")):
            for kind, word in (("user", "User"), ("role", "Role")):
                for action in (f"iam:Attach{word}Policy", f"iam:Detach{word}Policy"):
                    target = entity(kind, "alice", path)
                    for policy in OWN:
                        self.assertTrue(may(one, "Reconcile", action, target, {"iam:PolicyARN": policy}), (action, policy))
                    for policy in (ADMINISTRATOR_ACCESS, OWN[0] + "-2", OWN[0].replace(ACCOUNT, "444455556666")):
                        self.assertFalse(may(one, "Reconcile", action, target, {"iam:PolicyARN": policy}), (action, policy))
                    self.assertFalse(may(one, "Reconcile", action, target), "no policy named")

    def test_writes_inline_in_the_mode_exact_only_and_to_who_has_the_boundary(self):
        for kind, word in (("user", "User"), ("role", "Role")):
            put, delete = f"iam:Put{word}Policy", f"iam:Delete{word}Policy"
            self.assertFalse(may(self.managed, "Reconcile", put, entity(kind, "alice")))
            self.assertFalse(may(self.managed, "Reconcile", delete, entity(kind, "alice")))
            target = entity(kind, "alice", "/people/")
            bounded = {"iam:PermissionsBoundary": BOUNDARY}
            self.assertTrue(may(self.exact, "Reconcile", put, target, bounded))
            self.assertFalse(may(self.exact, "Reconcile", put, target), "without a boundary")
            self.assertFalse(may(self.exact, "Reconcile", put, target, {"iam:PermissionsBoundary": ADMINISTRATOR_ACCESS}))
            self.assertTrue(may(self.exact, "Reconcile", delete, target, bounded))
            self.assertFalse(may(self.exact, "Reconcile", delete, target), "a deny that somebody else wrote stays where it is")
            looks = {f"iam:Get{word}Policy", f"iam:List{word}Policies"}
            self.assertEqual({may(self.managed, "Reconcile", look, target) for look in looks}, {False}, "of no use there")
            self.assertEqual({may(self.exact, "Reconcile", look, target) for look in looks}, {True})
            unbounded = Stack(TRANSLATED, EXACT)
            self.assertTrue(may(unbounded, "Reconcile", put, entity(kind, "alice")), "the README says what that means")

    def test_in_the_mode_that_ends_it_gives_nothing_and_takes_back_what_either_mode_gave(self):
        ending = Stack(TRANSLATED, stack.FULL_HUB | {"GrantMode": "ending"})
        for kind, word in (("user", "User"), ("role", "Role")):
            context = {"iam:PolicyARN": OWN[0], "iam:PermissionsBoundary": BOUNDARY}
            for verb, wanted in (("Attach", False), ("Put", False), ("Detach", True), ("Delete", True), ("Get", True)):
                action = f"iam:{verb}{word}Policy"
                self.assertEqual(may(ending, "Reconcile", action, entity(kind, "alice", "/people/"), context), wanted, action)
        # The policies are the last to go, and so is what detaches them.
        self.assertEqual(ending.resources.keys(), Stack(TRANSLATED, stack.FULL_HUB).resources.keys())
        for name in FUNCTIONS:
            self.assertEqual(ending.properties(name)["Environment"]["Variables"]["TRAILPASS_GRANT_MODE"], "none")

    def test_reaches_nobody_outside_its_path_and_none_that_are_protected(self):
        writes = ("iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:DetachRolePolicy", "iam:DeleteRolePolicy")
        context = {"iam:PolicyARN": OWN[0], "iam:PermissionsBoundary": BOUNDARY}
        for action in writes:
            # To detach a policy of ours needs no path: a user may be moved to another one.
            self.assertEqual(may(self.exact, "Reconcile", action, entity("role", "alice"), context), action == "iam:DetachRolePolicy", action)
            self.assertFalse(may(self.exact, "Reconcile", action, entity("role", "alice", "/people/").replace(ACCOUNT, "444455556666"), context))
            for one in (self.managed, Stack(TRANSLATED, EXACT)):
                for role in FUNCTIONS:
                    self.assertFalse(may(one, "Reconcile", action, one.arn(f"{role}Role"), context), (action, role))
                for path in ("/aws-reserved/sso.amazonaws.com/", "/aws-service-role/config.amazonaws.com/"):
                    self.assertFalse(may(one, "Reconcile", action, entity("role", "x", path), context), (action, path))
        for action in ("iam:AttachUserPolicy", "iam:AttachRolePolicy", "iam:PutUserPolicy", "iam:PutRolePolicy"):
            kind = "user" if "User" in action else "role"
            target = entity(kind, "alice", "/people/")
            self.assertTrue(may(self.exact, "Reconcile", action, target, context))
            self.assertFalse(may(self.exact, "Reconcile", action, target, context | {"aws:ResourceTag/trailpass": "never"}), action)
            # Whoever deploys the stack, and break-glass.
            protected = entity(kind, {"user": "break-glass-2", "role": "deployer"}[kind], "/people/")
            self.assertFalse(may(self.exact, "Reconcile", action, protected, context), action)
            self.assertTrue(may(Stack(TRANSLATED, stack.FULL_HUB | {"ProtectedArns": ""}), "Reconcile", action, protected, context), action)
        # Who comes to be protected while a grant lives must still lose it.
        for context in (context, context | {"aws:ResourceTag/trailpass": "never"}):
            for action in ("iam:DetachRolePolicy", "iam:DeleteRolePolicy"):
                self.assertTrue(may(self.exact, "Reconcile", action, entity("role", "deployer", "/people/"), context), action)

    def test_has_no_other_power_in_iam(self):
        looks = {f"iam:{verb}" for verb in (
            "GetRole", "GetUser", "ListAttachedRolePolicies", "ListAttachedUserPolicies", "SimulatePrincipalPolicy", "ListEntitiesForPolicy", "GetAccountSummary")}
        attaches = {f"iam:{verb}{kind}Policy" for verb in ("Attach", "Detach") for kind in ("User", "Role")}
        inline = {f"iam:{verb}{kind}Policy" for verb in ("Get", "Put", "Delete") for kind in ("User", "Role")} | {f"iam:List{kind}Policies" for kind in ("User", "Role")}
        for one, wanted in ((self.managed, looks | attaches), (self.exact, looks | attaches | inline)):
            found = {action for document in policies_of(one, "ReconcileRole") for action in actions(document)}
            self.assertEqual({action for action in found if action.startswith("iam:")}, wanted)
            self.assertLessEqual({action.split(":")[0] for action in found}, {"iam", "logs", "dynamodb", "sqs", "sns", "secretsmanager", "kms", "cloudtrail"})
            self.assertEqual({action for action in found if action.startswith("cloudtrail:")}, {"cloudtrail:LookupEvents"})

    def test_nobody_on_the_internet_calls_it(self):
        permissions = self.exact.of_type("AWS::Lambda::Permission")
        callers = {(one["FunctionName"], one["Principal"]) for one in permissions.values()}
        self.assertEqual(callers, {("trailpass-Decide", "apigateway.amazonaws.com"), ("trailpass-Reconcile", "events.amazonaws.com")})
        self.assertEqual(permissions["SweepPermission"]["SourceArn"], self.exact.arn("SweepRule"))
        self.assertEqual(permissions["ApiPermission"]["SourceArn"], f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:trailpass-Api/*")

    def test_the_clocks_event_arrives_as_eventbridge_makes_it(self):
        (target,) = self.exact.properties("SweepRule")["Targets"]
        # Reconcile looks for `source: aws.events`, which nobody else can send.
        self.assertFalse({"Input", "InputPath", "InputTransformer"} & set(target))
        main = (stack.ROOT / "functions/reconcile/src/main.rs").read_text()
        self.assertIn('Some("aws.events")', main)

    def test_is_the_last_to_go(self):
        """IAM deletes no policy that somebody holds, and the deletion of a stack goes against the direction of its references."""
        resources = TRANSLATED["Resources"]

        def needed_by(name, seen):
            if name in resources and name not in seen:
                seen.add(name)
                body = resources[name]
                direct = body.get("DependsOn", [])
                text = json.dumps(body.get("Properties", {}))
                named = re.findall(r'"Ref": "(\w+)"', text) + re.findall(r'"Fn::GetAtt": \["(\w+)"', text) + re.findall(r"\$\{(\w+)[.}]", text)
                for other in [*([direct] if isinstance(direct, str) else direct), *named]:
                    needed_by(other, seen)
            return seen

        for policy in ("TrailReadPolicy", "EventLookupPolicy", "LakeQueryPolicy"):
            kept = needed_by(policy, set()) - {policy}
            work = {"Reconcile", "ReconcileRole", "ReconcilePolicy", "ReconcileGrantsPolicy", "SweepRule", "SweepPermission", "ReconcileStream", "Table", "DecisionsKey", "AuditLogs"}
            self.assertLessEqual(work, kept, "what takes grants back is gone before them")
            revoke = {"Decide", "DecideRole", "DecidePolicy", "Api", "ApiIntegration", "AnswersRoute", "ApiStage", "ApiPermission"}
            self.assertLessEqual(revoke, kept, "nobody could revoke")
            self.assertFalse({"TrailReadPolicy", "EventLookupPolicy", "LakeQueryPolicy"} & kept)


class OwnPolicies(unittest.TestCase):
    def test_they_allow_what_the_program_says_they_do(self):
        table = (stack.ROOT / "shared/access/data/actions.rs").read_text()
        rows = re.findall(r'row\("((?:cloudtrail|cloudtrail-data):\w+)", \w+(?: \w+)*, (\w+),', table)
        program = (stack.ROOT / "shared/access/src/grant.rs").read_text()
        listed = lambda name: set(re.findall(r'"(cloudtrail:\w+)"', program.split(f'name: "{name}"')[1].split("OwnPolicy {")[0].split("impl OwnPolicy")[0]))
        wanted = {
            "trailpass-trail-read": {action for action, risk in rows if risk == "Routine"},
            "trailpass-event-lookup": listed("trailpass-event-lookup"),
            "trailpass-lake-query": listed("trailpass-lake-query"),
        }
        made = {one["ManagedPolicyName"]: one for one in Stack(TRANSLATED).of_type("AWS::IAM::ManagedPolicy").values()}
        self.assertEqual(set(made), set(wanted))
        dangerous = {action for action, risk in rows if risk == "Tampering"}
        for name, one in made.items():
            self.assertEqual(one["Path"], "/trailpass/")
            self.assertGreater(len(wanted[name]), 1)
            self.assertEqual(actions(one["PolicyDocument"]), wanted[name], name)
            self.assertFalse(wanted[name] & dangerous, name)
            for member in ("Users", "Roles", "Groups"):
                self.assertNotIn(member, one, "given to nobody from the start")


class Doors(unittest.TestCase):
    def test_three_routes_throttled_apart(self):
        hub = Stack(TRANSLATED)
        routes = {one["RouteKey"] for one in hub.of_type("AWS::ApiGatewayV2::Route").values()}
        self.assertEqual(routes, {"POST /slack", "POST /answers", "GET /cases/{id}"})
        (stage,) = hub.of_type("AWS::ApiGatewayV2::Stage").values()
        self.assertEqual(set(stage["RouteSettings"]), routes)
        for limits in (stage["DefaultRouteSettings"], *stage["RouteSettings"].values()):
            self.assertLessEqual(limits["ThrottlingBurstLimit"], 50)
            self.assertLessEqual(limits["ThrottlingRateLimit"], 20)
        (api,) = hub.of_type("AWS::ApiGatewayV2::Api").values()
        self.assertEqual(api["ProtocolType"], "HTTP")
        # No other site's scripts; no route that takes what the others don't; the address of AWS's own is the one that is named.
        self.assertFalse({"CorsConfiguration", "RouteKey", "Target", "DisableExecuteApiEndpoint"} & set(api))
        (integration,) = hub.of_type("AWS::ApiGatewayV2::Integration").values()
        self.assertEqual((integration["PayloadFormatVersion"], integration["IntegrationUri"]), ("2.0", hub.arn("Decide")))
        program = (stack.ROOT / "functions/decide/src/request.rs").read_text()
        for route in routes:
            self.assertIn(f'"{route}"', program)

    def test_the_access_log_holds_no_token(self):
        (stage,) = Stack(TRANSLATED).of_type("AWS::ApiGatewayV2::Stage").values()
        logged = set(re.findall(r"\$context\.([A-Za-z.]+)", stage["AccessLogSettings"]["Format"]))
        self.assertEqual(logged, {"requestTimeEpoch", "requestId", "routeKey", "status", "identity.sourceIp", "responseLatency", "integration.error"})
        json.loads(stage["AccessLogSettings"]["Format"])

    def test_the_audit_log_outlives_the_stack(self):
        body = TRANSLATED["Resources"]["AuditLogs"]
        self.assertEqual((body["DeletionPolicy"], body["UpdateReplacePolicy"]), ("Retain", "Retain"))
        self.assertEqual(Stack(TRANSLATED).properties("AuditLogs")["RetentionInDays"], "400")
        self.assertIn(stack.STACK_UUID, Stack(TRANSLATED).properties("AuditLogs")["LogGroupName"], "or a stack could not be made a second time")
        self.assertEqual(Stack(TRANSLATED, stack.FULL_HUB).properties("AuditLogs")["RetentionInDays"], "731")
        for function in ("Decide", "Reconcile"):
            self.assertEqual(Stack(TRANSLATED).properties(function)["LoggingConfig"], {"LogGroup": "trailpass-AuditLogs"})
            # Nobody who is taken over can rewrite what the log says of them.
            for action in ("logs:DeleteLogStream", "logs:DeleteLogGroup", "logs:PutRetentionPolicy"):
                self.assertFalse(may(Stack(TRANSLATED), function, action, Stack(TRANSLATED).arn("AuditLogs")))

    def test_not_even_an_administrator_publishes_in_their_place(self):
        hub = Stack(TRANSLATED, stack.FULL_HUB)
        topic = f"arn:aws:sns:eu-west-1:{ACCOUNT}:trailpass-NoticesTopic"
        its = [one["PolicyDocument"] for one in hub.of_type("AWS::SNS::TopicPolicy").values() if topic in one["Topics"]]
        publish = lambda who, own=(): is_allowed(Request("sns:Publish", topic, who), own, its)
        self.assertTrue(publish(hub.arn("ReconcileRole")))
        self.assertFalse(publish(hub.arn("DecideRole"), [ALL]))
        self.assertFalse(publish(ADMINISTRATOR, [ALL]))
