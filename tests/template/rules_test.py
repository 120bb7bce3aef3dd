"""The rules: well formed for AWS, delivered somewhere, and picking out what they should."""

import re
import unittest

import event_pattern
import samples
import stack
from event_pattern import PatternError, matches, validate
from shape_test import TRANSLATED, Stack, stacks

# Seen in the wild: three patterns of this form in one field are taken, four are "too complex".
KNOWN_TO_BE_TAKEN = {"resources": [{"wildcard": f"*:stack/{name}/*"} for name in ("SharedStack", "DataStack", "WebStack")]}
ALWAYS_THERE = {"eventName", "eventSource"}


def patterns(one):
    return {name: rule["EventPattern"] for name, rule in one.denial_rules().items()}


class Form(unittest.TestCase):
    def test_aws_would_take_every_pattern(self):
        for name, one in stacks().items():
            taken = patterns(one)
            for rule, pattern in taken.items():
                with self.subTest(name, rule=rule):
                    validate(pattern)
                    self.assertLessEqual(event_pattern.complexity(pattern), event_pattern.complexity(KNOWN_TO_BE_TAKEN))
            wildcards = sum(event_pattern.uses_wildcards(pattern) for pattern in taken.values())
            # Other people have rules on the default bus, too.
            self.assertLess(wildcards, event_pattern.MAX_WILDCARD_RULES / 3)

    def test_also_with_the_longest_and_the_oddest_names(self):
        for fill in ("a", "ab", "loudrail", "aws-cloudtrail-logs-", "CloudTrail"):
            longest = {
                "TrailBucket": (fill.lower() * 63)[:62] + "z",
                "TrailTopicName": (fill * 256)[:256],
                "TrailLogGroup": (fill * 400)[:400],
                "TrailLogRole": (fill * 64)[:64],
            }
            for rule, pattern in patterns(Stack(TRANSLATED, stack.FULL_TRAIL | longest)).items():
                with self.subTest(fill, rule=rule):
                    validate(pattern)
                    self.assertLessEqual(event_pattern.complexity(pattern), event_pattern.complexity(KNOWN_TO_BE_TAKEN))

    def test_every_rule_sees_reads_and_asks_for_a_source_of_awss_own(self):
        for name, one in stacks().items():
            for rule, body in one.denial_rules().items():
                with self.subTest(name, rule=rule):
                    self.assertEqual(body["State"], "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
                    self.assertNotIn("EventBusName", body, "CloudTrail's events come to the default bus only")
                    self.assertTrue(body["Description"])
                    for source in body["EventPattern"]["source"]:
                        text = source["prefix"] if isinstance(source, dict) else source
                        self.assertTrue(text.startswith("aws."), text)
                    self.assertIn("errorCode", body["EventPattern"]["detail"])

    def test_parameters_of_the_request_are_never_needed(self):
        # They are null in most denials: they may be one way among several, and nothing may be excluded by them.
        for rule, pattern in patterns(Stack(TRANSLATED, stack.FULL_HUB)).items():
            with self.subTest(rule):
                detail = pattern["detail"]
                self.assertNotIn("requestParameters", detail)
                # A text may be absent, too: whatever asks for words in it leaves the rest to another rule.
                if "errorMessage" in detail and rule != "QuarantineRule":
                    self.assertIn({"exists": False}, detail["errorMessage"])
                if "$or" in detail:
                    self.assertTrue(any("requestParameters" not in way for way in detail["$or"]))
                for field in _fields_with_anything_but(detail):
                    self.assertTrue(field in ALWAYS_THERE or {"exists": False} in detail[field], field)

    def test_calls_that_succeeded_and_blind_are_the_programs_list_and_come_in_by_the_alarms_way(self):
        program = (stack.ROOT / "shared/access/src/blinding.rs").read_text()
        lists = [sorted(re.findall(r'"(\w+)"', one)) for one in re.findall(r"const \w+: \[&str; \d+\] =\s*\[(.*?)\]", program, re.S)]
        for name, one in stacks().items():
            rule = one.properties("BlindingRule")
            pattern = rule["EventPattern"]
            validate(pattern)
            log, *rules = pattern["detail"]["$or"]
            self.assertEqual([sorted(log["eventName"]), sorted(rules[0]["eventName"] + rules[1]["eventName"])], lists)
            (target,) = rule["Targets"]
            self.assertIn(target["Id"], ("Queue", "Hub"))
            self.assertTrue(target["DeadLetterConfig"]["Arn"])

            def picks(service, operation, code=samples.ABSENT, **fields):
                return matches(pattern, samples.event(service, operation, code, samples.ABSENT, **fields))

            with self.subTest(name):
                for operation in lists[0]:
                    self.assertTrue(picks("cloudtrail", operation, requestParameters={"name": samples.TRAIL}), operation)
                    # Refused, it is the other rules'.
                    self.assertFalse(picks("cloudtrail", operation, "AccessDenied"), operation)
                for operation in lists[1]:
                    field = "rule" if operation.endswith("Targets") else "name"
                    ours = {field: "trailpass-DenialRule-1A2B"}
                    self.assertTrue(picks("events", operation, requestParameters=ours), operation)
                    self.assertFalse(picks("events", operation, requestParameters={field: "nightly"}), operation)
                    # Our own deployment.
                    self.assertFalse(picks("events", operation, requestParameters=ours, sourceIPAddress="cloudformation.amazonaws.com"), operation)
                for success in (None, "", samples.ABSENT):
                    self.assertTrue(picks("cloudtrail", "StopLogging", success), success)
                for operation in ("StartLogging", "GetTrailStatus", "LookupEvents"):
                    self.assertFalse(picks("cloudtrail", operation), operation)

    def test_the_list_of_tampering_is_the_programs(self):
        table = (stack.ROOT / "shared/access/data/actions.rs").read_text()
        tampering = re.findall(r'^\s*row\("cloudtrail:(\w+)", \w+(?: \w+)*, Tampering,', table, re.MULTILINE)
        self.assertGreater(len(tampering), 10)
        taken = patterns(Stack(TRANSLATED))
        alarming, rest = (taken[rule]["detail"]["eventName"] for rule in ("TamperingRule", "DenialRule"))
        self.assertEqual(sorted(alarming), sorted(tampering))
        self.assertEqual(rest, [{"anything-but": alarming}])
        for rule in ("DenialRule", "QuarantineRule"):
            for member in ("source", "detail-type"):
                self.assertEqual(taken["TamperingRule"][member], taken[rule][member])
            for field in ("errorCode", "eventSource"):
                self.assertEqual(taken["TamperingRule"]["detail"][field], taken[rule]["detail"][field])

    def test_leaked_credentials_are_shared_out(self):
        taken = patterns(Stack(TRANSLATED))
        leaked, rest = (taken[rule]["detail"] for rule in ("QuarantineRule", "DenialRule"))
        self.assertEqual(rest["eventName"], leaked["eventName"])
        self.assertEqual(rest["errorMessage"], [{"exists": False}, {"anything-but": leaked["errorMessage"][0]}])
        self.assertEqual(len(leaked["errorMessage"]), 1)


class Delivery(unittest.TestCase):
    def test_every_target_has_its_dead_letter_queue(self):
        for name, one in stacks().items():
            for rule, body in one.denial_rules().items():
                with self.subTest(name, rule=rule):
                    (target,) = body["Targets"]
                    self.assertEqual(target["DeadLetterConfig"], {"Arn": one.arn("RuleDeadLetters")})
                    if name.startswith("hub"):
                        queue = "AlarmsQueue" if rule in stack.ALARMING else "NoticesQueue"
                        self.assertEqual((target["Arn"], target.get("RoleArn")), (one.arn(queue), None))
                    else:
                        self.assertEqual(target["Arn"], stack.FORWARDER["HubEventBusArn"])
                        self.assertEqual(target["RoleArn"], one.arn("ForwardRole"))
                        self.assertNotIn("RetryPolicy", target, "an event bus takes none")

    def test_both_modes_have_the_same_rules(self):
        made = stacks()
        for kind in ("bare", "full"):
            self.assertEqual(patterns(made[f"hub, {kind}"]), patterns(made[f"forwarder, {kind}"]))


class Samples(unittest.TestCase):
    def test_each_event_is_picked_out_by_its_rule_and_no_other(self):
        for name, one in stacks().items():
            taken = patterns(one)
            for sample, rule, event in samples.SAMPLES:
                with self.subTest(name, sample=sample):
                    picked = {which for which, pattern in taken.items() if matches(pattern, event)}
                    self.assertEqual(picked, samples.expected(rule, "full" in name))

    def test_each_rule_has_samples(self):
        used = set().union(*(samples.expected(rule, True) for _, rule, _ in samples.SAMPLES))
        self.assertEqual(used, set(patterns(Stack(TRANSLATED, stack.FULL_HUB))))

    def test_each_tampering_call_is_an_alarm_and_every_other_call_is_not(self):
        taken = patterns(Stack(TRANSLATED))
        table = (stack.ROOT / "shared/access/data/actions.rs").read_text()
        rows = re.findall(r'^\s*row\("(cloudtrail(?:-data)?):(\w+)", \w+(?: \w+)*, (\w+),', table, re.MULTILINE)
        self.assertGreater(len(rows), 60)
        for service, operation, risk in rows:
            event = samples.denial(service, operation)
            picked = {which for which, pattern in taken.items() if matches(pattern, event)}
            self.assertEqual(picked, {"TamperingRule" if risk == "Tampering" else "DenialRule"}, operation)


class TheMatcherItself(unittest.TestCase):
    """Known answers, or the tests above would prove nothing."""

    def test_what_matches(self):
        for pattern, event in [
            ({"a": ["x"]}, {"a": "x"}), ({"a": ["y", "x"]}, {"a": ["x", "z"]}), ({"a": [None]}, {"a": None}), ({"a": [""]}, {"a": ""}),
            ({"a": [{"prefix": "Ac"}]}, {"a": "Access"}), ({"a": [{"suffix": "ss"}]}, {"a": "Access"}),
            ({"a": [{"equals-ignore-case": "AB"}]}, {"a": "aB"}), ({"a": [{"prefix": {"equals-ignore-case": "AB"}}]}, {"a": "abc"}),
            ({"a": [{"wildcard": "*x*z"}]}, {"a": "xyz"}), ({"a": [{"wildcard": "a\\*b"}]}, {"a": "a*b"}), ({"a": [{"wildcard": "*"}]}, {"a": ""}),
            ({"a": [{"exists": False}]}, {}), ({"a": [{"exists": False}]}, {"a": {"b": 1}}), ({"a": [{"exists": True}]}, {"a": None}),
            ({"a": {"b": [{"exists": False}]}}, {}), ({"a": [{"anything-but": ["x"]}]}, {"a": "y"}), ({"a": [{"anything-but": "x"}]}, {"a": None}),
            ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "y"}), ({"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}),
            ({"$or": [{"a": ["x"]}, {"b": ["x"]}]}, {"b": "x"}), ({"a": [1]}, {"a": 1.0}),
        ]:
            self.assertTrue(matches(pattern, event), (pattern, event))

    def test_what_does_not(self):
        for pattern, event in [
            ({"a": ["x"]}, {}), ({"a": ["x"]}, {"a": None}), ({"a": ["x"]}, {"a": {"x": 1}}), ({"a": [None]}, {}), ({"a": ["x"]}, {"a": "X"}),
            ({"a": [{"prefix": "Access"}]}, {"a": "Client.Access"}), ({"a": [{"prefix": "x"}]}, {"a": None}),
            ({"a": [{"wildcard": "*x*"}]}, {"a": None}), ({"a": [{"wildcard": "a*"}]}, {"a": "ba"}), ({"a": [{"wildcard": "a.c"}]}, {"a": "abc"}),
            ({"a": [{"exists": True}]}, {}), ({"a": [{"exists": True}]}, {"a": []}), ({"a": [{"anything-but": ["x"]}]}, {}),
            ({"a": [{"anything-but": ["x"]}]}, {"a": "x"}), ({"a": {"b": ["x"], "c": ["y"]}}, {"a": [{"b": "x"}, {"c": "y"}]}),
            ({"a": {"b": ["x"]}}, {"a": None}), ({"$or": [{"a": ["x"]}, {"b": ["x"]}], "c": ["x"]}, {"b": "x"}), ({"a": [1]}, {"a": True}),
        ]:
            self.assertFalse(matches(pattern, event), (pattern, event))

    def test_what_aws_refuses(self):
        detail = lambda matcher: {"detail": {"a": [matcher]}}
        for pattern in [
            {}, {"detail": {}}, {"detail": {"a": []}}, {"detail": {"a": "x"}}, {"detials": ["x"]}, detail({"contains": "x"}), detail({"prefix": 1}),
            detail({"prefix": "x", "suffix": "y"}), detail({"wildcard": "a**b"}), detail({"wildcard": "a\\b"}), detail({"exists": "true"}),
            detail({"anything-but": []}), detail({"anything-but": ["x", 1]}), detail({"anything-but": {"exists": True}}), detail(["x"]),
            {"$or": [{"source": ["x"]}]}, {"detail": {"a": ["x"], "$or": [{"a": ["y"]}, {"b": ["y"]}]}}, detail("x" * 2048),
        ]:
            with self.subTest(str(pattern)[:60]), self.assertRaises(PatternError):
                validate(pattern)

    def test_complexity_tells_the_known_cases_apart(self):
        refused = {"resources": [*KNOWN_TO_BE_TAKEN["resources"], {"wildcard": "*:stack/MonitoringStack/*"}]}
        self.assertGreater(event_pattern.complexity(refused), event_pattern.complexity(KNOWN_TO_BE_TAKEN))
        self.assertEqual(event_pattern.complexity({"a": ["x", {"prefix": "y"}]}), 0)


def _fields_with_anything_but(detail):
    for field, value in detail.items():
        if field == "$or":
            for way in value:
                yield from _fields_with_anything_but(way)
        elif isinstance(value, dict):
            yield from _fields_with_anything_but(value)
        elif any(isinstance(matcher, dict) and ("anything-but" in matcher or matcher.get("exists") is False) for matcher in value):
            yield field
