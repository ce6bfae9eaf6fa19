"""AWS's policy evaluation, as far as Framepost's policies need it.

moto's own ignores conditions (a statement "deny unless If-None-Match" denies everything there) and asks most services' policies
about the resource "*". This one follows the IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition
operators". What it does not know is an error, never an answer: a test must not pass because a condition was not understood.
"""

import ipaddress
import re
from enum import Enum


class Decision(Enum):
    ALLOW = "allow"
    DENY = "deny"
    NEUTRAL = "neutral"


class NotUnderstood(Exception):
    """An operator, or an element, that this evaluation does not know."""


def like(pattern, value, ignore_case=False):
    """`*` is any characters, `?` is one."""
    expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(expression, value, re.IGNORECASE | re.DOTALL if ignore_case else re.DOTALL) is not None


def as_list(value):
    return value if isinstance(value, list) else [value]


def truth(value):
    return str(value).lower() == "true"


OPERATORS = {
    "StringEquals": lambda expected, actual: expected == actual,
    "StringEqualsIgnoreCase": lambda expected, actual: expected.lower() == actual.lower(),
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda expected, actual: truth(expected) == truth(actual),
    "NumericEquals": lambda expected, actual: float(expected) == float(actual),
    "NumericLessThan": lambda expected, actual: float(actual) < float(expected),
    "NumericGreaterThan": lambda expected, actual: float(actual) > float(expected),
    "IpAddress": lambda expected, actual: ipaddress.ip_address(actual) in ipaddress.ip_network(expected),
}
# A negated operator holds if none of its values matches; so it does where the key is missing.
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
}


def condition_holds(operator, key, expected, context):
    expected = [str(value) for value in as_list(expected)]
    # Keys of conditions are compared without regard to case.
    actual = next((value for name, value in context.items() if name.lower() == key.lower()), None)
    if operator == "Null":
        return truth(expected[0]) == (actual is None)
    every = operator.startswith("ForAllValues:")
    if every or operator.startswith("ForAnyValue:"):
        operator = operator.split(":", 1)[1]
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    if actual is None:
        return if_exists or every or operator in NEGATED
    matches = OPERATORS.get(NEGATED.get(operator, operator))
    if matches is None:
        raise NotUnderstood(f"the condition operator {operator}")
    expected = [substituted(value, context) for value in expected]
    found = [any(matches(value, str(one)) for value in expected) for one in as_list(actual)]
    holds = all(found) if every else any(found)
    return not holds if operator in NEGATED else holds


def substituted(text, context):
    """Returns a policy's text with its variables, such as `${aws:username}`, replaced from the request's context."""

    def value(variable):
        name = variable.group(1)
        if name in ("*", "?", "$"):
            return name
        if name not in context:
            raise NotUnderstood(f"the policy variable {name}")
        return str(context[name])

    return re.sub(r"\$\{([^}]+)\}", value, text)


def principal_matches(element, principals):
    """`principals` are the caller's ARN, its role's or user's, its account's, or a service's name."""
    if element == "*":
        return True
    named = [value for kind in ("AWS", "Service", "Federated") for value in as_list(element.get(kind, []))]
    return any(value == "*" or value in principals for value in named)


def statement_concerns(statement, action, resource, principals, context):
    known = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"}
    if unknown := set(statement) - known:
        raise NotUnderstood(f"the policy elements {unknown}")
    if "Principal" in statement and not principal_matches(statement["Principal"], principals):
        return False
    if "NotPrincipal" in statement and principal_matches(statement["NotPrincipal"], principals):
        return False
    for name, value, ignore_case in (("Action", action, True), ("Resource", resource, False)):
        if name in statement:
            patterns = [substituted(pattern, context) for pattern in as_list(statement[name])]
            if not any(like(pattern, value, ignore_case) for pattern in patterns):
                return False
        elif f"Not{name}" in statement:
            patterns = [substituted(pattern, context) for pattern in as_list(statement[f"Not{name}"])]
            if any(like(pattern, value, ignore_case) for pattern in patterns):
                return False
    return all(
        condition_holds(operator, key, expected, context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, expected in keys.items()
    )


def decide(documents, action, resource, principals, context):
    """An explicit deny wins over every allow; nothing said is neutral, which is a refusal unless another policy allows."""
    decision = Decision.NEUTRAL
    for document in documents:
        for statement in as_list(document["Statement"]):
            if statement_concerns(statement, action, resource, principals, context):
                if statement["Effect"] == "Deny":
                    return Decision.DENY
                decision = Decision.ALLOW
    return decision
