"""The policy language."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.control import policies
from lambent.model.conditions import conditions_hold, is_operator
from lambent.model.errors import ApiError
from lambent.model.identity import session_principal
from lambent.model.policy import AccessRequest, Statement, Verdict, decide, statements_of
from lambent.model.principal import ANONYMOUS, Principal, root_of, service
from lambent.model.wildcards import matches, matches_arn

HERE, THERE = "111111111111", "222222222222"
FUNCTION = f"arn:aws:lambda:us-east-1:{HERE}:function:f"
USER = Principal(
    kind="user", account=HERE, arn=f"arn:aws:iam::{HERE}:user/team/ann", user_id="AIDA"
)
STRANGER = Principal(
    kind="user", account=THERE, arn=f"arn:aws:iam::{THERE}:user/bob", user_id="AIDB"
)
ROLE_ARN = f"arn:aws:iam::{HERE}:role/service/worker"
SESSION = session_principal(ROLE_ARN, "own", role_id="AROA")


def allow(**members: Any) -> Statement:
    return {"Effect": "Allow", "Action": "lambda:*", "Resource": "*", **members}


def deny(**members: Any) -> Statement:
    return {**allow(**members), "Effect": "Deny"}


def verdict(
    principal: Principal,
    *,
    identity: list[Statement] | None = None,
    resource: list[Statement] | None = None,
    action: str = "lambda:InvokeFunction",
    arn: str = FUNCTION,
    context: dict[str, list[str]] | None = None,
) -> Verdict:
    request = AccessRequest(principal=principal, action=action, resource=arn, context=context or {})
    return decide(request, identity=identity or [], resource=resource or [], owner=HERE)


def test_within_an_account_one_permission_is_enough() -> None:
    """The root needs none; a user needs his own or the resource's."""
    assert verdict(root_of(HERE)) is Verdict.ALLOWED
    assert verdict(USER) is Verdict.NOT_IN_IDENTITY
    assert verdict(USER, identity=[allow()]) is Verdict.ALLOWED
    assert verdict(USER, resource=[allow(Principal={"AWS": USER.arn})]) is Verdict.ALLOWED
    assert verdict(USER, resource=[allow(Principal="*")]) is Verdict.ALLOWED
    assert verdict(USER, resource=[allow(Principal={"AWS": STRANGER.arn})]) is (
        Verdict.NOT_IN_IDENTITY
    )


def test_an_account_that_is_granted_something_must_pass_it_on() -> None:
    """A grant to the account's root alone does not reach its users."""
    for account in (HERE, f"arn:aws:iam::{HERE}:root"):
        granted = [allow(Principal={"AWS": account})]
        assert verdict(USER, resource=granted) is Verdict.NOT_IN_IDENTITY
        assert verdict(USER, resource=granted, identity=[allow()]) is Verdict.ALLOWED
        assert verdict(root_of(HERE), resource=granted) is Verdict.ALLOWED


def test_between_accounts_both_are_needed() -> None:
    """The resource's first."""
    granted = [allow(Principal={"AWS": f"arn:aws:iam::{THERE}:root"})]
    assert verdict(STRANGER, identity=[allow()]) is Verdict.NOT_IN_RESOURCE
    assert verdict(STRANGER, resource=granted) is Verdict.NOT_IN_IDENTITY
    assert verdict(STRANGER, identity=[allow()], resource=granted) is Verdict.ALLOWED
    assert verdict(root_of(THERE)) is Verdict.NOT_IN_RESOURCE
    assert verdict(root_of(THERE), resource=granted) is Verdict.ALLOWED


def test_services_and_strangers_need_the_resource_s_policy() -> None:
    """Services by name, the anonymous by the star."""
    s3 = service("s3.amazonaws.com")
    assert verdict(s3) is Verdict.NOT_IN_RESOURCE
    assert verdict(s3, resource=[allow(Principal={"Service": "sns.amazonaws.com"})]) is (
        Verdict.NOT_IN_RESOURCE
    )
    assert verdict(s3, resource=[allow(Principal={"Service": "s3.amazonaws.com"})]) is (
        Verdict.ALLOWED
    )
    assert verdict(ANONYMOUS, resource=[allow(Principal="*")]) is Verdict.ALLOWED
    assert verdict(ANONYMOUS, resource=[allow(Principal={"AWS": HERE})]) is Verdict.NOT_IN_RESOURCE


def test_denials_win() -> None:
    """From every side, even against the root."""
    assert verdict(USER, identity=[allow(), deny()]) is Verdict.DENIED_BY_IDENTITY
    assert verdict(USER, identity=[allow()], resource=[deny(Principal="*")]) is (
        Verdict.DENIED_BY_RESOURCE
    )
    assert verdict(root_of(HERE), resource=[deny(Principal="*")]) is Verdict.DENIED_BY_RESOURCE
    nearly_all = [deny(NotPrincipal={"AWS": USER.arn})]
    assert verdict(USER, identity=[allow()], resource=nearly_all) is Verdict.ALLOWED
    assert verdict(SESSION, identity=[allow()], resource=nearly_all) is Verdict.DENIED_BY_RESOURCE


def test_a_short_name_makes_a_longer_session() -> None:
    """Names of sessions have two letters at least."""
    assert session_principal(ROLE_ARN, "q", role_id="AROA").user_id == "AROA:q@lambda_function"


def test_sessions_are_their_role_and_themselves() -> None:
    """Either may be named."""
    for named in (ROLE_ARN, f"arn:aws:sts::{HERE}:assumed-role/worker/own"):
        assert verdict(SESSION, resource=[allow(Principal={"AWS": named})]) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("members", "is_allowed"),
    [
        ({"Action": "lambda:InvokeFunction"}, True),
        ({"Action": "LAMBDA:invokefunction"}, True),
        ({"Action": ["s3:*", "lambda:Invoke*"]}, True),
        ({"Action": "lambda:Get*"}, False),
        ({"Action": "*"}, True),
        ({"Action": "lambda:InvokeFunctio?"}, True),
        ({"Resource": FUNCTION}, True),
        ({"Resource": f"{FUNCTION}:*"}, False),
        ({"Resource": f"arn:aws:lambda:*:{HERE}:function:*"}, True),
        ({"Resource": f"arn:aws:lambda:*:{THERE}:function:*"}, False),
        ({"Resource": "arn:aws:lambda:*:function:f"}, False),
        ({"Resource": f"arn:aws:lambda:us-east-1:{HERE}:function:F"}, False),
        ({"NotAction": "lambda:InvokeFunction", "Action": None}, False),
        ({"NotAction": "s3:*", "Action": None}, True),
        ({"NotResource": FUNCTION, "Resource": None}, False),
        ({"NotResource": "arn:aws:s3:::*", "Resource": None}, True),
    ],
)
def test_actions_and_resources(members: dict[str, Any], is_allowed: bool) -> None:
    """Actions without regard to case, resources part by part."""
    statement = {name: value for name, value in {**allow(), **members}.items() if value is not None}
    assert (verdict(USER, identity=[statement]) is Verdict.ALLOWED) == is_allowed


CONTEXT = {
    "aws:sourcearn": ["arn:aws:s3:::bucket"],
    "aws:sourceaccount": [HERE],
    "aws:sourceip": ["10.1.2.3"],
    "aws:securetransport": ["true"],
    "aws:currenttime": ["2026-06-01T00:00:00Z"],
    "aws:username": ["ann"],
    "n": ["5"],
    "many": ["a", "b"],
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({}, True),
        ({"StringEquals": {"AWS:SourceAccount": HERE}}, True),
        ({"StringEquals": {"aws:SourceAccount": [THERE, HERE]}}, True),
        ({"StringEquals": {"aws:SourceAccount": THERE}}, False),
        ({"StringEquals": {"absent": "x"}}, False),
        ({"StringEqualsIfExists": {"absent": "x"}}, True),
        ({"StringNotEquals": {"absent": "x"}}, True),
        ({"StringNotEquals": {"aws:SourceAccount": [THERE, HERE]}}, False),
        ({"StringEqualsIgnoreCase": {"aws:username": "ANN"}}, True),
        ({"StringLike": {"aws:username": "a?*"}}, True),
        ({"StringNotLike": {"aws:username": "a*"}}, False),
        ({"StringEquals": {"aws:username": "${aws:username}"}}, True),
        ({"StringLike": {"aws:username": "${absent}*"}}, False),
        ({"StringEquals": {"aws:username": "${$}"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b*"}}, True),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:sns:::b*"}}, False),
        ({"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::b*"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": False}}, False),
        ({"Null": {"absent": "true", "n": False}}, True),
        ({"Null": {"n": "true"}}, False),
        ({"NumericLessThan": {"n": 6}, "NumericGreaterThanEquals": {"n": "5"}}, True),
        ({"NumericEquals": {"n": "x"}}, False),
        ({"DateLessThan": {"aws:CurrentTime": "2026-06-02T00:00:00Z"}}, True),
        ({"DateGreaterThan": {"aws:CurrentTime": "1780000000000"}}, False),
        ({"IpAddress": {"aws:SourceIp": ["192.168.0.0/16", "10.0.0.0/8"]}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"IpAddress": {"aws:SourceIp": "no network"}}, False),
        ({"ForAnyValue:StringEquals": {"many": "a"}}, True),
        ({"ForAllValues:StringEquals": {"many": "a"}}, False),
        ({"ForAllValues:StringEquals": {"many": ["a", "b", "c"]}}, True),
        ({"ForAllValues:StringEquals": {"absent": "a"}}, True),
        ({"ForAnyValue:StringEquals": {"absent": "a"}}, False),
        ({"StringSomething": {"n": "5"}}, False),
        ({"ForSomeValues:StringEquals": {"n": "5"}}, False),
    ],
)
def test_conditions(condition: dict[str, Any], holds: bool) -> None:
    """Each operator, and what becomes of keys that the request does not have."""
    assert conditions_hold(condition, CONTEXT) == holds


def test_operators_that_are_none() -> None:
    """A condition with an unknown operator would make a denial void, so it is refused."""
    assert is_operator("ForAnyValue:StringNotLikeIfExists")
    assert is_operator("Null")
    for name in ("StringEqual", "ForSomeValues:StringEquals", "ForAnyValue:", ""):
        assert not is_operator(name)
        document = {"Statement": [{**deny(), "Condition": {name: {"a": "b"}}}]}
        with pytest.raises(ApiError, match="no operator"):
            policies.parse(json.dumps(document), "identity")


def assumes(
    principal: Principal, trust: dict[str, Any], *identity: Statement, owner: str = HERE
) -> Verdict:
    """What becomes of sts:AssumeRole under a trust policy."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", **trust}
    return decide(
        AccessRequest(principal=principal, action="sts:AssumeRole", resource=ROLE_ARN),
        identity=identity,
        resource=statements_of([{"Statement": statement}]),
        owner=owner,
        needs_grant=True,
    )


ASSUMES = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
NEVER = {**ASSUMES, "Effect": "Deny"}


def test_a_trusted_account_delegates() -> None:
    """A role that trusts the account can be assumed by whom the account allows it."""
    for account in (HERE, f"arn:aws:iam::{HERE}:root"):
        trust = {"Principal": {"AWS": account}}
        for who in (USER, SESSION):
            assert assumes(who, trust) is Verdict.NOT_IN_IDENTITY
            assert assumes(who, trust, ASSUMES) is Verdict.ALLOWED
            assert assumes(who, trust, ASSUMES, NEVER) is Verdict.DENIED_BY_IDENTITY


def test_a_trusted_principal_needs_no_more() -> None:
    """Within the account; a denial still wins."""
    for who, named in ((USER, USER.arn), (SESSION, ROLE_ARN), (SESSION, SESSION.arn)):
        trust = {"Principal": {"AWS": named}}
        assert assumes(who, trust) is Verdict.ALLOWED
        assert assumes(who, trust, NEVER) is Verdict.DENIED_BY_IDENTITY
        assert assumes(who, {**trust, "Effect": "Deny"}, ASSUMES) is Verdict.DENIED_BY_RESOURCE


def test_a_role_is_assumed_only_by_principals_it_trusts() -> None:
    """Whatever their own policies say; the root no less."""
    for trust in (
        {"Principal": {"AWS": STRANGER.arn}},
        {"Principal": {"Service": "lambda.amazonaws.com"}},
        {"Principal": {"AWS": f"arn:aws-x:iam::{HERE}:root"}},
        {"Principal": {"AWS": USER.arn}, "Action": "sts:TagSession"},
    ):
        for who in (USER, root_of(HERE)):
            if trust["Principal"] != {"AWS": USER.arn} or who is USER:
                assert assumes(who, trust, ASSUMES) is Verdict.NOT_IN_RESOURCE


def test_roles_of_other_accounts_need_both() -> None:
    """The trust, of the account or of the principal, and the caller's own policies."""
    for named in (THERE, STRANGER.arn):
        trust = {"Principal": {"AWS": named}}
        assert assumes(STRANGER, trust) is Verdict.NOT_IN_IDENTITY
        assert assumes(STRANGER, trust, ASSUMES) is Verdict.ALLOWED
    assert assumes(STRANGER, {"Principal": {"AWS": HERE}}, ASSUMES) is Verdict.NOT_IN_RESOURCE


def test_services_are_trusted_by_name() -> None:
    """Lambda assumes the roles that trust it."""
    trust = {"Principal": {"Service": "lambda.amazonaws.com"}}
    assert assumes(service("lambda.amazonaws.com"), trust) is Verdict.ALLOWED
    assert assumes(service("s3.amazonaws.com"), trust) is Verdict.NOT_IN_RESOURCE


PEOPLE = "arn:aws:lambda:us-east-1:111111111111:function:ann-f"


def may(resource: str, *, version: str | None = "2012-10-17", **context: list[str]) -> bool:
    """Whether a statement on a resource allows a call of `ann-f`."""
    document = {"Version": version, "Statement": allow(Resource=resource)}
    known = {"aws:username": ["ann"], "aws:principaltag/team": ["an"], "s:many": ["ann", "ann"]}
    return (
        verdict(USER, identity=statements_of([document]), arn=PEOPLE, context={**known, **context})
        is Verdict.ALLOWED
    )


HEAD = "arn:aws:lambda:us-east-1:111111111111:function:"


@pytest.mark.parametrize(
    ("resource", "is_allowed"),
    [
        (HEAD + "${aws:username}-*", True),
        (HEAD + "${AWS:UserName}-?", True),
        (HEAD + "${aws:PrincipalTag/team}n-f", True),
        (HEAD + "${aws:PrincipalTag/absent, 'ann'}-f", True),
        (HEAD + "${aws:PrincipalTag/absent,'ann'}-f", True),
        (HEAD + "${aws:username, 'bob'}-f", True),
        # A value stands for itself, and so do the characters that are spelled as variables.
        (HEAD + "${aws:PrincipalTag/absent, '*'}", False),
        (HEAD + "${*}", False),
        (HEAD + "${?}nn-f", False),
        (HEAD + "${$}", False),
        # What has no value, or more than one, matches nothing.
        (HEAD + "${aws:PrincipalTag/absent}*", False),
        (HEAD + "${s:many}-f", False),
        # What is no variable is text, and so is all before the fifth colon.
        (HEAD + "${aws:username-f", False),
        ("arn:aws:lambda:us-east-1:${aws:PrincipalTag/account}:function:ann-f", False),
    ],
)
def test_variables_in_resources(resource: str, is_allowed: bool) -> None:
    """They are filled in from the request's context."""
    assert may(resource, **{"aws:principaltag/account": [HERE]}) == is_allowed


@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_older_policies_have_no_variables(version: str | None) -> None:
    """There they are text, in resources and in conditions."""
    assert not may(HEAD + "${aws:username}-*", version=version)
    document = {
        "Version": version,
        "Statement": allow(Condition={"StringEquals": {"aws:username": "${aws:username}"}}),
    }
    statements = statements_of([document])
    for name, expected in (("ann", False), ("${aws:username}", True)):
        context = {"aws:username": [name]}
        found = verdict(USER, identity=statements, context=context)
        assert (found is Verdict.ALLOWED) == expected


def test_a_denial_with_variables() -> None:
    """Of others' functions, to everybody who has a name."""
    document = {
        "Version": "2012-10-17",
        "Statement": [allow(), {**deny(), "NotResource": HEAD + "${aws:username}-*"}],
    }
    del document["Statement"][1]["Resource"]
    statements = statements_of([document])
    for name, expected in (("ann", Verdict.ALLOWED), ("*", Verdict.DENIED_BY_IDENTITY)):
        context = {"aws:username": [name]}
        assert verdict(USER, identity=statements, arn=PEOPLE, context=context) is expected
    assert verdict(USER, identity=statements, arn=PEOPLE) is Verdict.DENIED_BY_IDENTITY


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringLike": {"aws:username": "${aws:username}"}}, True),
        ({"StringLike": {"aws:username": "${*}"}}, False),
        ({"StringEquals": {"aws:username": "${absent, 'ann'}"}}, True),
        ({"StringNotEquals": {"aws:username": "${absent}"}}, True),
        ({"ArnLike": {"aws:sourcearn": "${aws:sourcearn}"}}, True),
        ({"ArnLike": {"aws:sourcearn": "arn:aws:s3:::${absent, 'bucket'}"}}, True),
        ({"NumericEquals": {"n": "${n}"}}, False),
    ],
)
def test_variables_in_conditions(condition: dict[str, Any], holds: bool) -> None:
    """In texts and ARNs; numbers, dates and the like have none."""
    assert conditions_hold(condition, CONTEXT) == holds


def test_a_resource_with_two_names() -> None:
    """A policy may use either, in what it allows and in what it denies."""
    latest = f"{FUNCTION}:$LATEST"

    def found(*identity: Statement) -> Verdict:
        request = AccessRequest(
            principal=USER, action="lambda:GetFunction", resource=latest, also=(FUNCTION,)
        )
        return decide(request, identity=identity, resource=(), owner=HERE)

    for arn in (latest, FUNCTION):
        assert found(allow(Resource=arn)) is Verdict.ALLOWED
        assert found(allow(), deny(Resource=arn)) is Verdict.DENIED_BY_IDENTITY
    assert found(allow(Resource=f"{FUNCTION}:1")) is Verdict.NOT_IN_IDENTITY


STATEMENTS = st.lists(
    st.builds(
        lambda effect, action, arn, principal: {
            "Effect": effect,
            "Action": action,
            "Resource": arn,
            "Principal": principal,
        },
        st.sampled_from(["Allow", "Deny"]),
        st.sampled_from(["*", "lambda:*", "lambda:Invoke*", "s3:*"]),
        st.sampled_from(["*", FUNCTION, f"{FUNCTION}*", "arn:aws:s3:::b"]),
        st.sampled_from(["*", {"AWS": HERE}, {"AWS": USER.arn}, {"AWS": STRANGER.arn}]),
    ),
    max_size=5,
)


@given(identity=STATEMENTS, resource=STATEMENTS, who=st.sampled_from([USER, STRANGER, SESSION]))
def test_more_allowing_never_takes_away(
    identity: list[Statement], resource: list[Statement], who: Principal
) -> None:
    """And more denying never gives."""
    before = verdict(who, identity=identity, resource=resource)
    for more in (allow(), allow(Principal="*")):
        wider = verdict(who, identity=[*identity, more], resource=[*resource, allow(Principal="*")])
        if before is Verdict.ALLOWED:
            assert wider is Verdict.ALLOWED
    narrower = verdict(who, identity=[*identity, deny()], resource=resource)
    assert narrower is Verdict.DENIED_BY_IDENTITY


@given(text=st.text("ab:*?", max_size=12), pattern=st.text("ab:*?", max_size=8))
def test_wildcards(text: str, pattern: str) -> None:
    """As the obvious, slow definition has it."""

    def slowly(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return slowly(pattern[1:], text) or (bool(text) and slowly(pattern, text[1:]))
        return bool(text) and pattern[0] in ("?", text[0]) and slowly(pattern[1:], text[1:])

    assert matches(pattern, text) == slowly(pattern, text)


def test_wildcards_take_no_time() -> None:
    """A pattern that would keep a regular expression busy forever."""
    assert not matches("*a" * 2000 + "b", "a" * 20_000)
    assert not matches_arn(
        "arn:aws:lambda:*:*:" + "*a" * 2000 + "b", "arn:aws:lambda:r:a:" + "a" * 20_000
    )


@pytest.mark.parametrize("operator", ["DateLessThan", "DateGreaterThan", "DateNotEquals"])
@pytest.mark.parametrize(
    "text", ["9" * 17, "9" * 20, "9" * 400, "9" * 5000, "-1", "", "²", "0001-01-01T00:00:00+23:59"]
)
def test_a_time_that_no_calendar_has_does_not_hold(operator: str, text: str) -> None:
    """The author of a policy may write anything into it."""
    context = {"aws:currenttime": ("2026-01-31T00:00:00Z",)}
    holds = conditions_hold({operator: {"aws:CurrentTime": text}}, context)
    assert holds == (operator == "DateNotEquals" or (operator == "DateGreaterThan" and "T" in text))


@given(
    operator=st.sampled_from(["Numeric", "Date"]).flatmap(
        lambda kind: st.sampled_from([f"{kind}Equals", f"{kind}LessThan"])
    )
    | st.sampled_from(["IpAddress", "BinaryEquals", "Bool", "ArnLike", "StringLike", "Null"]),
    wanted=st.text(max_size=40) | st.from_regex(r"[0-9]{1,400}", fullmatch=True),
    value=st.text(max_size=40),
)
def test_no_condition_raises(operator: str, wanted: str, value: str) -> None:
    conditions_hold({operator: {"aws:x": wanted}}, {"aws:x": (value,)})
