"""EventBridge's event patterns: what they match, whether they are well formed, how much work their wildcards make.

Written from the documentation and independent of the emulator, which takes operators that AWS refuses and can't match arrays
of objects: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

import json
import re

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
MAX_LENGTH = 2048
MAX_WILDCARD_RULES = 30

TOP_LEVEL = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
OPERATORS = {"prefix", "suffix", "wildcard", "exists", "anything-but", "equals-ignore-case"}
ABSENT = object()


class PatternError(Exception):
    """EventBridge would refuse this pattern (or nobody has taught us what it means)."""


def text_of(pattern):
    """The pattern as CloudFormation sends it: its length is what the quota counts."""
    return json.dumps(pattern, separators=(",", ":"))


def validate(pattern):
    """Raises PatternError unless every part of the pattern is something that EventBridge documents."""
    if not isinstance(pattern, dict) or not pattern:
        raise PatternError("a pattern is an object with members")
    if unknown := set(pattern) - TOP_LEVEL - {"$or"}:
        raise PatternError(f"an event has no {sorted(unknown)}")
    if len(text_of(pattern)) > MAX_LENGTH:
        raise PatternError(f"longer than {MAX_LENGTH} characters")
    _validate_object(pattern, "")


def _validate_object(pattern, path):
    if not pattern:
        raise PatternError(f"{path}: an empty object matches nothing")
    for key, value in pattern.items():
        here = f"{path}.{key}"
        if key == "$or":
            if not isinstance(value, list) or len(value) < 2 or not all(isinstance(one, dict) for one in value):
                raise PatternError(f"{here}: an array of at least two objects")
            if clash := set(pattern) & {name for one in value for name in one}:
                raise PatternError(f"{here}: {sorted(clash)} stands inside and outside, and only one of them would count")
            for one in value:
                _validate_object(one, here)
        elif isinstance(value, dict):
            _validate_object(value, here)
        elif isinstance(value, list) and value:
            for matcher in value:
                _validate_matcher(matcher, here)
        else:
            raise PatternError(f"{here}: a leaf is an array with something in it")


def _validate_matcher(matcher, path):
    if not isinstance(matcher, dict):
        if isinstance(matcher, list):
            raise PatternError(f"{path}: an array in an array")
        return
    if len(matcher) != 1:
        raise PatternError(f"{path}: one operator at a time, not {sorted(matcher)}")
    ((operator, operand),) = matcher.items()
    if operator not in OPERATORS:
        raise PatternError(f"{path}: no such operator: {operator}")
    match operator, operand:
        case "exists", bool():
            return
        case "exists", _:
            raise PatternError(f"{path}: exists takes true or false")
        case ("prefix" | "suffix"), {"equals-ignore-case": str(text)} if len(operand) == 1 and text:
            return
        case "wildcard", str():
            _validate_wildcard(operand, path)
        case ("prefix" | "suffix" | "equals-ignore-case"), str() if operand:
            return
        case "anything-but", dict():
            ((inner, text),) = operand.items()
            if inner not in {"prefix", "suffix", "wildcard", "equals-ignore-case"}:
                raise PatternError(f"{path}: anything-but takes no {inner}")
            for one in text if isinstance(text, list) else [text]:
                _validate_matcher({inner: one}, path)
        case "anything-but", list():
            if not operand or not (all(isinstance(o, str) for o in operand) or all(_is_number(o) for o in operand)):
                raise PatternError(f"{path}: anything-but takes strings or numbers, all of a kind")
        case "anything-but", str() | int() | float():
            return
        case _:
            raise PatternError(f"{path}: {operator} does not take {operand!r}")


def _validate_wildcard(text, path):
    if re.search(r"(?<!\\)\*\*", text):
        raise PatternError(f"{path}: two asterisks in a row")
    if re.search(r"\\(?![*\\])", text):
        raise PatternError(f"{path}: a backslash escapes an asterisk or a backslash, nothing else")


def matches(pattern, event):
    """Whether the event is one that the pattern picks out."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(one, event) for one in wanted):
                return False
        elif isinstance(wanted, dict):
            inner = event.get(key)
            # In an array of objects one of them must match as a whole.
            candidates = inner if isinstance(inner, list) else [inner]
            objects = [one for one in candidates if isinstance(one, dict)]
            # Without an object there, only "is absent" can be true inside; an empty object says just that.
            if not any(matches(wanted, one) for one in objects or [{}]):
                return False
        elif not any(_matches_field(matcher, event.get(key, ABSENT)) for matcher in wanted):
            return False
    return True


def _matches_field(matcher, value):
    leaves = _leaves(value)
    if isinstance(matcher, dict) and "exists" in matcher:
        return bool(leaves) == matcher["exists"]
    return any(_matches_leaf(matcher, leaf) for leaf in leaves)


def _leaves(value):
    """The values at a field: an array stands for its members, and only a leaf can be matched."""
    if value is ABSENT or isinstance(value, dict):
        return []
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one)]
    return [value]


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _matches_leaf(matcher, leaf):
    if not isinstance(matcher, dict):
        # In Python 1 == True, and in JSON they have nothing to do with each other.
        if _is_number(matcher) and _is_number(leaf):
            return matcher == leaf
        return type(matcher) is type(leaf) and matcher == leaf
    ((operator, operand),) = matcher.items()
    if operator == "anything-but":
        if isinstance(operand, dict):
            ((inner, texts),) = operand.items()
            return not any(_matches_leaf({inner: text}, leaf) for text in (texts if isinstance(texts, list) else [texts]))
        return not any(_matches_leaf(one, leaf) for one in (operand if isinstance(operand, list) else [operand]))
    if not isinstance(leaf, str):
        return False
    if isinstance(operand, dict):
        operand, leaf = operand["equals-ignore-case"].lower(), leaf.lower()
    match operator:
        case "prefix":
            return leaf.startswith(operand)
        case "suffix":
            return leaf.endswith(operand)
        case "equals-ignore-case":
            return leaf.lower() == operand.lower()
        case "wildcard":
            return re.fullmatch(_regex(operand), leaf, re.DOTALL) is not None
    raise PatternError(f"no such operator: {operator}")


def _regex(wildcard):
    tokens = re.findall(r"\\.|.", wildcard, re.DOTALL)
    return "".join(".*" if token == "*" else re.escape(token[-1]) for token in tokens)


def uses_wildcards(pattern):
    """Whether the rule counts against the quota of rules with wildcards."""
    return '"wildcard"' in text_of(pattern)


def complexity(pattern):
    """How many half-matched wildcard patterns one value can keep alive at worst, over the pattern's fields.

    EventBridge refuses a rule whose number is too high and does not say what is. Its open-source matcher counts, for every
    set of places that a reader of the value can be in at once, the wildcard patterns that each of these places still
    leads to. This is the same count on a plain automaton: a place is (pattern, position), and patterns with the same
    beginning share their places.
    """
    fields = {}
    _collect_wildcards(pattern, "", fields)
    return max((_worst_case(sorted(texts)) for texts in fields.values()), default=0)


def _collect_wildcards(pattern, path, fields):
    for key, value in pattern.items():
        if key == "$or":
            for one in value:
                _collect_wildcards(one, path, fields)
        elif isinstance(value, dict):
            _collect_wildcards(value, f"{path}.{key}", fields)
        else:
            for matcher in value:
                if isinstance(matcher, dict) and "wildcard" in matcher:
                    fields.setdefault(f"{path}.{key}", set()).add(matcher["wildcard"])


def _worst_case(texts):
    # A place is the part of a pattern that has been read; `leads_to` counts the patterns that begin with it.
    leads_to = {text[:at]: sum(other.startswith(text[:at]) for other in texts) for text in texts for at in range(len(text) + 1)}

    def rest(places):
        """With the places that an asterisk, standing for nothing, lets one be in as well."""
        reached, todo = set(places), list(places)
        while todo:
            place = todo.pop()
            if place + "*" in leads_to and place + "*" not in reached:
                reached.add(place + "*")
                todo.append(place + "*")
        return frozenset(reached)

    letters = {letter for text in texts for letter in text if letter != "*"} | {"\0"}
    start = rest({""})
    seen, todo, worst = {start}, [start], 0
    while todo:
        places = todo.pop()
        worst = max(worst, sum(leads_to[place] for place in places if place))
        for letter in letters:
            after = {place + letter for place in places if place + letter in leads_to}
            after |= {place for place in places if place.endswith("*")}
            after = rest(after)
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return worst
