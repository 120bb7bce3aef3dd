"""The template as CloudFormation would see it: translated by SAM's own transform, then resolved for given parameters.

The resolver is strict where the emulator is lenient. A reference to something that is not there under these parameters, an
attribute that a type doesn't have, a parameter value that its pattern refuses: each is an error, so that a dangling
condition shows up here and not in somebody's account.
"""

import copy
import json
import os
import pathlib
import re

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
CODE = "s3://code/triage.zip"
STACK_NAME = "trailpass"
STACK_UUID = "0a1b2c3d-0000-11ef-8000-0123456789ab"

# What a parameter set that gives everything gives.
FULL_TRAIL = {
    "TrailBucket": "acme-audit-logs",
    "TrailKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "TrailTopicName": "acme-trail",
    "TrailLogGroup": "/acme/audit/trail",
    "TrailLogRole": "AuditLogDelivery",
}
# The fewest parameters that a hub can be deployed with.
BARE_HUB = {"ApproversParameter": "/trailpass/approvers", "AlarmsAreSubscribedElsewhere": "true"}
FULL_HUB = FULL_TRAIL | BARE_HUB | {
    "OrganizationId": "o-a1b2c3d4e5",
    "SlackBotTokenSecret": "trailpass/slack-bot",
    "SlackNoticesChannel": "C0123456789",
    "SlackAlarmsWebhookSecret": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:alarms-hook-AbCdEf",
    "SecretsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/5678abcd-12ab-34cd-56ef-1234567890ab",
    "NoticesEmail": "notices@example.com",
    "AlarmsEmail": "alarms@example.com",
    "OperatorRoleArn": "arn:aws:iam::111122223333:role/people/operators",
    "ProtectedNames": "break-glass-*,OrgAdmin",
    "ProtectedArns": "arn:aws:iam::111122223333:role/people/deployer,arn:aws:iam::111122223333:user/people/break-glass-*",
    "PermissionsBoundary": "arn:aws:iam::111122223333:policy/team/boundary",
    "RolePath": "/security/",
    "GrantMode": "exact",
    "ApprovalRulesParameter": "/trailpass/approval-rules",
    "GrantPath": "/people/",
    "GrantBoundary": "arn:aws:iam::111122223333:policy/team/people",
    "SlackSigningSecret": "trailpass/slack-signing",
    "SlackAppId": "A0123456789",
    "SlackTeamId": "T0123456789",
    "AuditRetentionDays": "731",
}
FORWARDER = {"AlarmsAreSubscribedElsewhere": "true", "Mode": "forwarder", "HubEventBusArn": "arn:aws:events:us-east-1:111122223333:event-bus/default"}
FULL_FORWARDER = FULL_TRAIL | FORWARDER | {name: FULL_HUB[name] for name in ("PermissionsBoundary", "RolePath", "AlarmsEmail")}

# The rules that bring in what may be an alarm, by a queue of their own.
ALARMING = {"TamperingRule", "QuarantineRule", "IamRule", "BlindingRule"}

NO_VALUE = object()


class TemplateError(Exception):
    """The template asks for something that is not there."""


class _NoManagedPolicies:
    """The transform wants to look managed policies up by name; the template names none."""

    def load(self):
        return {}


def source():
    """The template's text, parsed."""
    return yaml_parse(TEMPLATE.read_text())


def translate(template=None):
    """The template after SAM's transform, the code's place filled in as `sam package` would."""
    template = copy.deepcopy(template) if template is not None else source()
    # Otherwise boto3, which the transform asks, wants somebody's configuration.
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = CODE
    return json.loads(json.dumps(transform(template, {}, _NoManagedPolicies())))


class Stack:
    """A translated template under given parameters, account and Region."""

    def __init__(self, translated, parameters=None, region="eu-west-1", partition="aws", account="111122223333"):
        self.template = translated
        self.pseudo = {
            "AWS::AccountId": account,
            "AWS::Partition": partition,
            "AWS::Region": region,
            "AWS::StackName": STACK_NAME,
            "AWS::StackId": f"arn:{partition}:cloudformation:{region}:{account}:stack/{STACK_NAME}/{STACK_UUID}",
            "AWS::URLSuffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
        }
        self.parameters = self._checked(parameters or {})
        self.conditions = {name: self._truth(body) for name, body in translated.get("Conditions", {}).items()}
        self.resources = {name: body for name, body in translated["Resources"].items() if self._is_there(body)}

    def of_type(self, kind):
        """The resources of a type, resolved: logical name to properties."""
        return {name: self.properties(name) for name, body in self.resources.items() if body["Type"] == kind}

    def denial_rules(self):
        """The rules that pick denials out of all events, as opposed to the clock's and the one for calls that succeeded."""
        rules = self.of_type("AWS::Events::Rule").items()
        return {name: rule for name, rule in rules if "EventPattern" in rule and name != "BlindingRule"}

    def properties(self, name):
        """One resource's properties, resolved."""
        return self._value(self.resources[name].get("Properties", {}), name)

    def outputs(self):
        """The outputs, resolved."""
        there = {name: body for name, body in self.template.get("Outputs", {}).items() if self._is_there(body)}
        return {name: self._value(body["Value"], name) for name, body in there.items()}

    def everything(self):
        """All resources and outputs, resolved: raises if anything dangles."""
        for name, body in self.resources.items():
            needed = body.get("DependsOn", [])
            for other in [needed] if isinstance(needed, str) else needed:
                if other not in self.resources:
                    raise TemplateError(f"{name} depends on {other}, which is not there")
        return {name: self.properties(name) for name in self.resources} | self.outputs()

    def broken_rules(self):
        """The texts of the template's own rules (its section Rules) that these parameters break."""
        broken = []
        for rule in self.template.get("Rules", {}).values():
            if self._truth(rule.get("RuleCondition", {"Fn::Equals": ["", ""]})):
                broken += [a["AssertDescription"] for a in rule["Assertions"] if not self._truth(a["Assert"])]
        return broken

    def queue_name(self, name):
        """A queue's name."""
        return self._attribute(name, "QueueName")

    def arn(self, name):
        """The ARN that GetAtt or Ref would give for a resource."""
        return self._attribute(name, "Arn")

    def _checked(self, given):
        declared = self.template["Parameters"]
        if unknown := set(given) - set(declared):
            raise TemplateError(f"no such parameters: {sorted(unknown)}")
        values = {}
        for name, declaration in declared.items():
            value = str(given.get(name, declaration.get("Default", "")))
            pattern, allowed = declaration.get("AllowedPattern"), declaration.get("AllowedValues")
            # CloudFormation wants the whole value to match.
            if pattern and not re.fullmatch(pattern, value):
                raise TemplateError(f"{name}: {value!r} does not match {pattern}")
            if allowed and value not in [str(one) for one in allowed]:
                raise TemplateError(f"{name}: {value!r} is none of {allowed}")
            if len(value) > int(declaration.get("MaxLength", 4096)):
                raise TemplateError(f"{name}: too long")
            values[name] = value
        return values

    def _is_there(self, body):
        condition = body.get("Condition")
        if condition is not None and condition not in self.conditions:
            raise TemplateError(f"no such condition: {condition}")
        return condition is None or self.conditions[condition]

    def _truth(self, body):
        ((function, argument),) = body.items()
        match function:
            case "Condition":
                return self._truth(self.template["Conditions"][argument])
            case "Fn::Equals":
                left, right = (self._value(side, "a condition") for side in argument)
                return left == right
            case "Fn::Not":
                return not self._truth(argument[0])
            case "Fn::And" | "Fn::Or":
                if not 2 <= len(argument) <= 10:
                    raise TemplateError(f"{function} takes two to ten conditions")
                return (all if function == "Fn::And" else any)([self._truth(one) for one in argument])
        raise TemplateError(f"not a condition: {function}")

    def _value(self, body, where):
        if isinstance(body, list):
            return [one for one in (self._value(one, where) for one in body) if one is not NO_VALUE]
        if not isinstance(body, dict):
            return body
        if len(body) == 1:
            ((function, argument),) = body.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument, where)
        resolved = {key: self._value(value, where) for key, value in body.items()}
        return {key: value for key, value in resolved.items() if value is not NO_VALUE}

    def _call(self, function, argument, where):
        match function:
            case "Ref":
                return self._ref(argument, where)
            case "Fn::GetAtt":
                name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
                return self._attribute(name, attribute, where)
            case "Fn::If":
                condition, yes, no = argument
                return self._value(yes if self.conditions[condition] else no, where)
            case "Fn::Sub":
                text, extra = argument if isinstance(argument, list) else (argument, {})
                extra = {key: self._value(value, where) for key, value in extra.items()}
                return re.sub(r"\$\{([^!}]+)\}", lambda m: self._inside_sub(m[1], extra, where), text)
            case "Fn::Join":
                return argument[0].join(self._value(argument[1], where))
            case "Fn::Split":
                return self._value(argument[1], where).split(argument[0])
            case "Fn::Select":
                return self._value(argument[1], where)[int(argument[0])]
        raise TemplateError(f"{where}: {function} is not known here")

    def _inside_sub(self, name, extra, where):
        if name in extra:
            return extra[name]
        return str(self._attribute(*name.split(".", 1), where) if "." in name else self._ref(name, where))

    def _ref(self, name, where):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        if self.template["Resources"].get(name, {}).get("Type") == "AWS::SNS::Topic":
            return self._attribute(name, "TopicArn", where)
        if self.template["Resources"].get(name, {}).get("Type") == "AWS::IAM::ManagedPolicy":
            self._must_be_there(name, where)
            own = self.resources[name]["Properties"]
            return f"arn:{self.pseudo['AWS::Partition']}:iam::{self.pseudo['AWS::AccountId']}:policy{own['Path']}{own['ManagedPolicyName']}"
        self._must_be_there(name, where)
        return f"{STACK_NAME}-{name}"

    def _group(self, name):
        """A log group's name, where this is one."""
        return self._value(self.resources[name].get("Properties", {}).get("LogGroupName", ""), name)

    def _must_be_there(self, name, where):
        if name not in self.resources:
            raise TemplateError(f"{where} refers to {name}, which is not there")

    def _attribute(self, name, attribute, where="a test"):
        self._must_be_there(name, where)
        kind = self.resources[name]["Type"]
        arn, account = f"arn:{self.pseudo['AWS::Partition']}", self.pseudo["AWS::AccountId"]
        place = f"{self.pseudo['AWS::Region']}:{account}"
        own_name = self._value(self.resources[name].get("Properties", {}).get("QueueName", f"{STACK_NAME}-{name}"), name)
        known = {
            ("AWS::SQS::Queue", "Arn"): f"{arn}:sqs:{place}:{own_name}",
            ("AWS::SQS::Queue", "QueueName"): own_name,
            ("AWS::Events::Rule", "Arn"): f"{arn}:events:{place}:rule/{STACK_NAME}-{name}",
            ("AWS::DynamoDB::Table", "Arn"): f"{arn}:dynamodb:{place}:table/{STACK_NAME}-{name}",
            ("AWS::KMS::Key", "Arn"): f"{arn}:kms:{place}:key/{name}",
            ("AWS::SNS::Topic", "TopicArn"): f"{arn}:sns:{place}:{STACK_NAME}-{name}",
            ("AWS::Lambda::Function", "Arn"): f"{arn}:lambda:{place}:function:{STACK_NAME}-{name}",
            ("AWS::Logs::LogGroup", "Arn"): f"{arn}:logs:{place}:log-group:{self._group(name)}:*",
            # The real one's name holds colons, which the analyzer of policies takes for the end of a part.
            ("AWS::DynamoDB::Table", "StreamArn"): f"{arn}:dynamodb:{place}:table/{STACK_NAME}-{name}/stream/2026-10-05T080000.000",
            ("AWS::IAM::Role", "Arn"): f"{arn}:iam::{account}:role{self.parameters['RolePath']}{STACK_NAME}-{name}",
        }
        try:
            return known[kind, attribute]
        except KeyError:
            raise TemplateError(f"{where}: {kind} has no attribute {attribute} here") from None
