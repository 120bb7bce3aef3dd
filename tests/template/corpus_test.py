"""Whether the rules let through what triage answers: every record of events/triage, beside what must come out of it.

Triage decides by itself whether a denial is CloudTrail's business (shared/access/src/scope.rs). What no rule picks out it never
sees, and what two rules pick out it is told of twice.
"""

import json
import unittest

import samples
import stack
from event_pattern import matches
from rules_test import patterns
from shape_test import TRANSLATED, Stack, stacks

FOLDER = stack.ROOT / "events/triage"
WRAPPINGS = ("Records", "Events", "Messages", "body", "Body", "Sns", "Message", "CloudTrailEvent")


def read(text):
    """The values of a file: one, or one a line."""
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def events(value):
    """The records inside, each as EventBridge delivers it: in the envelope that it came in, or in one made for it."""
    if isinstance(value, str):
        value = json.loads(value)
    if isinstance(value, list):
        return [event for one in value for event in events(one)]
    if "detail" in value:
        return [value]
    for wrapping in WRAPPINGS:
        if wrapping in value:
            return events(value[wrapping])
    is_network = value.get("eventCategory") == "NetworkActivity" or value.get("eventType") == "AwsVpceEvent"
    service = value.get("eventSource", "").removesuffix(".amazonaws.com")
    return [{"source": f"aws.{service}", "detail-type": samples.NETWORK if is_network else samples.API_CALL, "detail": value}]


def corpus():
    """Name, event and the response that is expected, of every record."""
    for path in sorted(FOLDER.glob("*.json")):
        found = events(read(path.read_text()))
        said = path.with_suffix(".expected.txt").read_text().split("===\n")
        responses = [json.loads(one.split("\n---\n")[1])["response"] for one in said]
        assert len(found) == len(responses), (path.name, len(found), len(responses))
        for event, response in zip(found, responses):
            yield path.stem, event, response


class Corpus(unittest.TestCase):
    def test_what_triage_answers_reaches_it_once(self):
        answered = [(name, event) for name, event, response in corpus() if response != "ignore"]
        self.assertGreater(len(answered), 100)
        # What is expected there is so without any of the trail's resources being known.
        for kind, one in stacks().items():
            taken = patterns(one)
            for name, event in answered:
                with self.subTest(kind, event=name):
                    picked = [rule for rule, pattern in taken.items() if matches(pattern, event)]
                    self.assertEqual(len(picked), 1, picked)

    def test_nothing_is_delivered_twice(self):
        # With names that a trail's own resources nearly always have, so that they fit more than one description.
        usual = stack.FULL_TRAIL | {
            "TrailBucket": "aws-cloudtrail-logs-111122223333-1a2b",
            "TrailLogGroup": "aws-cloudtrail-logs-111122223333-1a2b",
            "TrailLogRole": "CloudTrail_CloudWatchLogs_Role",
            "TrailTopicName": "aws-cloudtrail-logs",
        }
        for given in (stack.FULL_TRAIL, usual):
            taken = patterns(Stack(TRANSLATED, given))
            for name, event in [(name, event) for name, event, _ in corpus()] + [(name, event) for name, _, event in samples.SAMPLES]:
                with self.subTest(name):
                    self.assertLess(sum(matches(pattern, event) for pattern in taken.values()), 2)

    def test_no_two_rules_look_at_the_same_calls(self):
        # Which is why: each has event sources of its own, and the three for CloudTrail share out its calls (rules_test).
        taken = patterns(Stack(TRANSLATED, stack.FULL_HUB))
        sources = {rule: pattern["detail"]["eventSource"] for rule, pattern in taken.items()}
        (rest,) = sources.pop("OtherServicesRule")
        for rule in ("DenialRule", "QuarantineRule"):
            self.assertEqual(sources.pop(rule), sources["TamperingRule"])
        named = [name for names in sources.values() for name in names]
        self.assertEqual(len(named), len(set(named)))
        self.assertEqual(sorted(rest["anything-but"]), sorted(named))
