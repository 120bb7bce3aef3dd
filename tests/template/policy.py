"""IAM policies: what they come to for one request. Small, and strict: what it was not taught is an error, never a guess.

The emulator does not look at Condition at all, so what rests on conditions (the keys of items, TLS, who publishes) is
evaluated here: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import dataclasses
import re

STATEMENT_MEMBERS = {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}
# How each operator compares the policy's text with the request's, and whether it is the opposite of that.
COMPARE = {
    "StringEquals": (lambda want, have: want == have, False),
    "StringNotEquals": (lambda want, have: want == have, True),
    "StringLike": (lambda want, have: _like(want, have), False),
    "ArnEquals": (lambda want, have: _arn_like(want, have), False),
    "ArnLike": (lambda want, have: _arn_like(want, have), False),
    "ArnNotEquals": (lambda want, have: _arn_like(want, have), True),
    "Bool": (lambda want, have: want.lower() == have.lower(), False),
}


class PolicyError(Exception):
    """The policy holds something that this evaluator does not know."""


@dataclasses.dataclass
class Request:
    """One request. `principal` is a role's ARN, or None for a service, which is named in `service`."""

    action: str
    resource: str
    principal: str | None = None
    service: str | None = None
    context: dict = dataclasses.field(default_factory=dict)

    def keys(self):
        """The condition keys of the request: names in lower case, values as lists."""
        keys = {"aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "true" if self.service else "false"}
        if self.principal:
            keys["aws:PrincipalArn"] = self.principal
        account = [*self.resource.split(":", 5), "", "", "", "", ""][4]
        if account:
            keys["aws:ResourceAccount"] = account
        keys |= self.context
        return {name.lower(): value if isinstance(value, list) else [value] for name, value in keys.items()}


def is_allowed(request, identity=(), resource=()):
    """Whether the request goes through: the caller's own policies and the resource's, all of one account."""
    own = {_effect(statement, request) for document in identity for statement in _statements(document)}
    its = {
        _effect(statement, request)
        for document in resource
        for statement in _statements(document)
        if _names(statement["Principal"], request)
    }
    return "Deny" not in own | its and "Allow" in own | its


def actions(document, effect="Allow"):
    """All actions that a document's statements of an effect name."""
    return {action for s in _statements(document) if s["Effect"] == effect for action in _list(s["Action"])}


def _statements(document):
    if document["Version"] != "2012-10-17":
        raise PolicyError("another version of the language")
    for statement in _list(document["Statement"]):
        # NotAction and its kin are refused with the rest: they allow what nobody thought of.
        if unknown := set(statement) - STATEMENT_MEMBERS:
            raise PolicyError(f"not known here: {sorted(unknown)}")
        if statement["Effect"] not in ("Allow", "Deny"):
            raise PolicyError(f"no such effect: {statement['Effect']}")
        yield statement


def _effect(statement, request):
    """The statement's effect if it is about this request, else None."""
    about = (
        any(_like(action.lower(), request.action.lower()) for action in _list(statement["Action"]))
        and any(_like(resource, request.resource) for resource in _list(statement["Resource"]))
        and all(
            _holds(operator, key, _list(values), request.keys())
            for operator, block in statement.get("Condition", {}).items()
            for key, values in block.items()
        )
    )
    return statement["Effect"] if about else None


def _names(principal, request):
    if principal == "*":
        return True
    for kind, names in principal.items():
        for name in _list(names):
            if kind == "Service" and name == request.service:
                return True
            if kind == "AWS" and request.principal and name == request.principal:
                return True
            # "root" of an account stands for whoever that account's own policies allow; it allows nobody by itself.
            if kind not in ("Service", "AWS"):
                raise PolicyError(f"no such kind of principal: {kind}")
    return False


def _holds(operator, key, wanted, keys):
    have = keys.get(key.lower())
    if operator == "Null":
        return (have is None) == (wanted[0].lower() == "true")
    for_all = operator.startswith("ForAllValues:")
    try:
        compare, negated = COMPARE[operator.removeprefix("ForAllValues:").removesuffix("IfExists")]
    except KeyError:
        raise PolicyError(f"no such operator: {operator}") from None
    if have is None:
        # True of nothing at all: that is the trap with ForAllValues, and with the negated operators, too.
        return for_all or negated or operator.endswith("IfExists")
    one = [any(compare(want, value) for want in wanted) != negated for value in have]
    return all(one) if for_all else any(one)


def _like(pattern, text):
    parts = re.split(r"([*?])", pattern)
    regex = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(regex, text, re.DOTALL) is not None


def _arn_like(pattern, text):
    """Part by part: an asterisk does not reach across the first five colons."""
    want, have = pattern.split(":", 5), text.split(":", 5)
    return len(want) == len(have) == 6 and all(_like(w, h) for w, h in zip(want, have))


def _list(value):
    return value if isinstance(value, list) else [value]
