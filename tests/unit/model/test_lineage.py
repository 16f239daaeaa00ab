"""Which functions called each other, in a trace header."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.model.traces import TRACE_ID_MAX, extend_lineage

ARNS = st.sampled_from([f"arn:aws:lambda:us-east-1:000000000000:function:f{n}" for n in range(5)])


@given(st.lists(ARNS, max_size=60))
def test_each_function_is_counted(chain: list[str]) -> None:
    """How often it comes up before, and the rest of the header stays."""
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"
    seen: dict[str, int] = {}
    for arn in chain:
        header, count = extend_lineage(header, arn)
        assert count == seen.get(arn, 0)
        seen[arn] = count + 1
        assert header.startswith("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0;Lineage=1:")
        assert len(header) <= TRACE_ID_MAX


@given(st.text(max_size=2000), ARNS)
def test_any_header_will_do(header: str, arn: str) -> None:
    """What is not understood is replaced, and what was put there is understood."""
    extended, count = extend_lineage(header, arn)
    assert count >= 0
    assert len(extended) <= TRACE_ID_MAX
    assert extend_lineage(extended, arn)[1] == min(count, 99_999) + 1


def test_many_functions() -> None:
    """Those that came first are forgotten."""
    header = "Root=1-0-0"
    for number in range(100):
        header, _ = extend_lineage(header, f"f{number}")
    assert header.count("|") == 15
    assert extend_lineage(header, "f99")[1] == 1
    assert extend_lineage(header, "f0")[1] == 0
