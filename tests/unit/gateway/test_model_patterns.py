"""Patterns of the service models, matched against what strangers send."""

import time

import pytest

from lambent.gateway.models import load_model
from lambent.gateway.validation import compile_pattern

PIECES = (
    *("a", "A", "0", "-", "_", ".", "/", ":", "a.", "a-", "a/", "*", " ", "aA0", "1,", "a@"),
    *("arn:aws:lambda:us-east-1:000000000000:function:a", "arn:aws-", "http://a.", "amqp://a:1,"),
)
LENGTH = 16 * 1024
"""What is larger is not matched on the event loop."""
SLOWEST_S = 2.0
"""For eighty texts, on a busy machine. One that backtracks without end takes hours."""


def patterns() -> list[str]:
    found = set()
    for service in ("iam", "lambda", "logs", "sts"):
        model = load_model(service)
        shapes = (model.shape_for(name) for name in model.shape_names)
        found |= {shape.metadata["pattern"] for shape in shapes if "pattern" in shape.metadata}
    return sorted(found)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", patterns())
def test_no_pattern_backtracks_without_end(pattern: str) -> None:
    """Long texts that almost match are refused in little time."""
    compiled = compile_pattern(pattern)
    if compiled is None:
        return
    began = time.process_time()
    for chunk in PIECES:
        text = (chunk * (LENGTH // len(chunk) + 1))[:LENGTH]
        for end in ("", "!"):
            compiled.fullmatch(text + end)
            compiled.fullmatch(f"arn:aws:lambda:us-east-1:000000000000:{text}{end}")
    assert time.process_time() - began < SLOWEST_S
