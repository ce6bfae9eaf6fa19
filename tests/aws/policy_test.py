"""What `policy.py` decides: python -m unittest discover -s tests/aws -p 'policy_test.py'."""

import unittest

from policy import Decision, NotUnderstood, condition_holds, decide

ALLOW, DENY, NEUTRAL = Decision.ALLOW, Decision.DENY, Decision.NEUTRAL
CHUNK = "arn:aws:s3:::footage/plant-7/a.mp4"
GATEWAY = "arn:aws:iam::123456789012:user/gateway"


def statement(effect="Allow", action="s3:PutObject", resource="arn:aws:s3:::footage/plant-7/*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


class Policy(unittest.TestCase):
    def decided(self, expected, statements, action="s3:PutObject", resource=CHUNK, **context):
        context = {key.replace("__", ":").replace("_", "-"): value for key, value in context.items()}
        self.assertIs(decide([{"Statement": statements}], action, resource, [GATEWAY], context), expected)

    def test_action_and_resource(self):
        self.decided(ALLOW, statement())
        self.decided(ALLOW, statement(action=["s3:GetObject", "S3:putobject"]))
        self.decided(ALLOW, statement(action="s3:Put*"))
        self.decided(NEUTRAL, statement(action="s3:GetObject"))
        self.decided(NEUTRAL, statement(), resource="arn:aws:s3:::footage/plant-77/a.mp4")
        self.decided(NEUTRAL, statement(), resource="arn:aws:s3:::Footage/plant-7/a.mp4")
        self.decided(ALLOW, statement(resource="arn:aws:s3:::footage/plant-?/a.mp4"))
        self.decided(NEUTRAL, {"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"})
        self.decided(ALLOW, {"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}, action="s3:GetObject")
        self.decided(NEUTRAL, {"Effect": "Allow", "Action": "*", "NotResource": CHUNK})

    def test_a_deny_wins_and_only_where_it_holds(self):
        deny = statement("Deny", resource="*", Condition={"Null": {"s3:if-none-match": "true"}})
        self.decided(DENY, [statement(), deny])
        self.decided(DENY, [deny, statement()])
        self.decided(ALLOW, [statement(), deny], s3__if_none_match="*")

    def test_every_condition_has_to_hold(self):
        both = {"StringEquals": {"a": ["1", "2"], "b": "3"}}
        self.decided(ALLOW, statement(Condition=both), a="2", b="3")
        self.decided(NEUTRAL, statement(Condition=both), a="2", b="4")
        self.decided(NEUTRAL, statement(Condition=both), a="2")

    def test_principals(self):
        self.decided(ALLOW, statement(Principal="*"))
        self.decided(ALLOW, statement(Principal={"AWS": [GATEWAY]}))
        self.decided(NEUTRAL, statement(Principal={"Service": "events.amazonaws.com"}))
        self.decided(NEUTRAL, statement(NotPrincipal={"AWS": GATEWAY}))

    def test_conditions(self):
        for operator, expected, actual, holds in [
            ("Null", "true", None, True),
            ("Null", "false", None, False),
            ("Null", "true", "x", False),
            ("Bool", "false", "false", True),
            ("Bool", "false", None, False),
            ("BoolIfExists", "false", None, True),
            ("StringNotEquals", "a", "b", True),
            ("StringNotEquals", ["a", "b"], "b", False),
            ("StringNotEquals", "a", None, True),
            ("StringLike", "a*", "abc", True),
            ("ArnEquals", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/x", True),
            ("ArnNotLike", ["arn:1", "arn:2"], "arn:2", False),
            ("NumericLessThan", "10", "9", True),
            ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
            ("ForAnyValue:StringEquals", "a", ["b", "a"], True),
            ("ForAllValues:StringEquals", "a", ["b", "a"], False),
            ("ForAllValues:StringEquals", "a", None, True),
        ]:
            context = {} if actual is None else {"Key": actual}
            self.assertEqual(condition_holds(operator, "key", expected, context), holds, (operator, expected, actual))

    def test_what_is_not_understood_is_no_answer(self):
        for bad in [
            statement(Condition={"DateLessThan": {"a": "2026-01-01"}}),
            statement(Resourse="*"),
            statement(resource="arn:aws:s3:::footage/${aws:username}/*"),
        ]:
            with self.assertRaises(NotUnderstood):
                decide([{"Statement": bad}], "s3:PutObject", CHUNK, [GATEWAY], {"a": "1"})


if __name__ == "__main__":
    unittest.main()
