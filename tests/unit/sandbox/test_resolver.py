"""DNS messages of boxes and name servers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.sandbox.egress_policy import EgressSettings
from lambent.sandbox.resolver import (
    Resolver,
    answer_with_own_address,
    answer_without_records,
    is_reply,
    name_in,
    parse_nameservers,
    question_of,
)

QUESTION = b"\x07example\x03com\x00" + struct.pack("!HH", 1, 1)
QUERY = struct.pack("!HHHHHH", 0xABCD, 0x0100, 1, 0, 0, 0) + QUESTION


def test_a_query_has_one_question() -> None:
    """The question is found, whatever follows it."""
    assert question_of(QUERY) == QUESTION
    assert question_of(QUERY + b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00") == QUESTION


@pytest.mark.parametrize(
    "message",
    [
        b"",
        QUERY[:11],
        QUERY[:-1],
        QUERY[:20],
        QUERY[:2] + b"\x81\x00" + QUERY[4:],  # a response
        QUERY[:2] + b"\x29\x00" + QUERY[4:],  # an update
        QUERY[:4] + b"\x00\x02" + QUERY[6:],  # two questions
        QUERY[:12] + b"\xc0\x0c" + QUESTION[-4:],  # a compressed name
        QUERY[:12] + b"\x3f" + b"a" * 63 + b"\x3f" + b"a" * 40,  # a name without end
        QUERY[:12] + (b"\x3f" + b"a" * 63) * 5 + b"\x00" + QUESTION[-4:],  # too long a name
    ],
)
def test_what_is_no_query_is_not_taken(message: bytes) -> None:
    """Anything but one well-formed question is dropped."""
    assert question_of(message) is None


@given(st.binary(max_size=600))
def test_no_message_breaks_the_parser(message: bytes) -> None:
    """Hostile bytes return a question that they contain, or nothing."""
    question = question_of(QUERY[:12] + message)
    assert question is None or message.startswith(question)


def test_answers_made_here_are_replies() -> None:
    """An answer without records echoes identifier, question and recursion wish."""
    answer = answer_without_records(QUERY, QUESTION, 2)
    assert is_reply(answer, QUERY, QUESTION)
    assert struct.unpack_from("!HHHHHH", answer) == (0xABCD, 0x8182, 1, 0, 0, 0)


def test_a_reply_to_another_question_is_none() -> None:
    """Identifier and question must match; the name's case need not."""
    answer = answer_without_records(QUERY, QUESTION, 0)
    assert is_reply(answer.replace(b"example", b"eXaMpLe"), QUERY, QUESTION)
    assert not is_reply(answer.replace(b"example", b"another"), QUERY, QUESTION)
    assert not is_reply(b"\x00\x00" + answer[2:], QUERY, QUESTION)
    assert not is_reply(QUERY, QUERY, QUESTION)
    assert not is_reply(b"", QUERY, QUESTION)


def test_nameservers_are_read_in_order() -> None:
    """Comments and invalid addresses are skipped."""
    text = "# nameserver 1.1.1.1\nnameserver 10.0.0.2\noptions edns0\nnameserver fe80::1%eth0\n"
    text += "nameserver\nnameserver nonsense\n"
    assert parse_nameservers(text) == [("10.0.0.2", 53), ("fe80::1%eth0", 53)]


def test_configured_nameservers_must_be_addresses() -> None:
    """A wrong setting fails at start."""
    with pytest.raises(ValueError, match="nonsense"):
        Resolver(EgressSettings(nameservers=("nonsense",)))


def question(*labels: bytes, kind: int = 1, class_: int = 1) -> bytes:
    name = b"".join(bytes([len(label)]) + label for label in labels)
    return name + b"\x00" + struct.pack("!HH", kind, class_)


def test_the_name_of_a_question() -> None:
    """In lower case; an invalid host name returns none."""
    assert name_in(question(b"Example", b"COM")) == "example.com"
    assert name_in(question()) is None
    assert name_in(question(b"exam.ple", b"com")) is None
    assert name_in(question(b"\xff", b"com")) is None


@given(st.binary(max_size=300))
def test_no_question_breaks_the_name(message: bytes) -> None:
    """Hostile labels have a name or none."""
    found = question_of(QUERY[:12] + message)
    assert found is None or isinstance(name_in(found), str | None)


@pytest.mark.parametrize(
    ("kind", "class_", "count"), [(1, 1, 1), (28, 1, 0), (65, 1, 0), (1, 3, 0)]
)
def test_a_name_of_ours_has_one_address(kind: int, class_: int, count: int) -> None:
    """Of IPv4; everything else about it is an empty answer, not a failure."""
    asked = question(b"a", b"test", kind=kind, class_=class_)
    query = QUERY[:12] + asked
    answer = answer_with_own_address(query, asked)
    assert is_reply(answer, query, asked)
    assert struct.unpack_from("!HHHHHH", answer) == (0xABCD, 0x8180, 1, count, 0, 0)
    assert answer[12 : 12 + len(asked)] == asked
    if count:
        name, *record = struct.unpack("!HHHIH4s", answer[12 + len(asked) :])
        assert name == 0xC00C
        assert record == [1, 1, 5, 4, bytes([127, 0, 0, 1])]
    else:
        assert len(answer) == 12 + len(asked)
