"""Function names, however callers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey
from lambent.model.names import parse_function_name, parse_unqualified, version_number

HERE = Scope("111111111111", "us-east-1")
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True).filter(
    lambda name: name != "function"
)
QUALIFIERS = st.none() | st.just("$LATEST") | st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)


@given(
    name=NAMES,
    qualifier=QUALIFIERS,
    form=st.sampled_from(
        [
            "{name}",
            "function:{name}",
            "111111111111:function:{name}",
            "us-east-1:111111111111:function:{name}",
            "arn:aws:lambda:us-east-1:111111111111:function:{name}",
        ]
    ),
)
def test_every_form_means_the_same_function(name: str, qualifier: str | None, form: str) -> None:
    """Plain names, partial and full ARNs, with or without a qualifier, parse to one key."""
    text = form.format(name=name) + (f":{qualifier}" if qualifier else "")
    reference = parse_function_name(text, HERE)
    if form == "{name}" and name.isdigit() and len(name) == 12 and qualifier:
        return  # An account and a name: the grammar itself is ambiguous there.
    assert reference.key == FunctionKey("111111111111", "us-east-1", name)
    assert reference.qualifier == qualifier


@given(st.text(max_size=300))
def test_nonsense_is_refused_and_nothing_else_happens(text: str) -> None:
    """Any text is either understood or refused with an error of the API."""
    try:
        reference = parse_function_name(text, HERE)
    except ApiError:
        return
    assert reference.key.name in text


def refusal(text: str, qualifier: str | None = None) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse_function_name(text, HERE, qualifier=qualifier)
    return caught.value


def test_long_names_are_refused() -> None:
    """A name has at most 64 characters, even where the whole ARN may have more."""
    error = refusal("a" * 65)
    assert error.code == "InvalidParameterValueException"
    assert error.message.endswith(
        "at 'functionName' failed to satisfy constraint: Member must have length less than or"
        " equal to 64"
    )


def test_two_different_qualifiers_are_refused() -> None:
    """The qualifier in the name and the parameter must agree if both are there."""
    error = refusal("f:1", "2")
    assert error.code == "InvalidParameterValueException"
    assert error.message == (
        "The derived qualifier from the function name does not match the specified qualifier."
    )
    reference = parse_function_name("f:1", HERE, qualifier="1")
    assert reference.qualifier == "1"


def test_other_regions_are_out_of_reach() -> None:
    """A function of another region is not found here."""
    error = refusal("arn:aws:lambda:eu-west-1:111111111111:function:f")
    assert error.code == "ResourceNotFoundException"
    assert error.message == (
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    )


def test_other_accounts_may_be_named() -> None:
    """Whether their functions may be used is decided elsewhere."""
    reference = parse_function_name("222222222222:function:f:live", HERE)
    assert reference.key.account == "222222222222"
    assert reference.qualifier == "live"


def test_whole_function_operations_refuse_versions() -> None:
    """`$LATEST` is the function itself; a version is not."""
    assert parse_unqualified("f:$LATEST", HERE).name == "f"
    with pytest.raises(ApiError, match="permitted on Lambda functions only"):
        parse_unqualified("f:1", HERE)


@pytest.mark.parametrize(
    ("qualifier", "number"),
    [("$LATEST", 0), ("1", 1), ("42", 42), ("0", None), ("01", None), ("live", None),
     ("9" * 30, None), ("١", None)],
)  # fmt: skip
def test_version_numbers(qualifier: str, number: int | None) -> None:
    """Only what a publish could have made is a version number."""
    assert version_number(qualifier) == number
