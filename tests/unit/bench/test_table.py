"""What the benchmark prints."""

from pathlib import Path

from bench import load
from bench.__main__ import add_ratios, as_markdown, write_between_marks
from bench.own import row


def sample(latencies_ms: list[float], duration_s: float) -> load.Sample:
    """A sample of given latencies."""
    return load.Sample([latency_ms / 1000 for latency_ms in latencies_ms], duration_s, 0)


def test_ratios_say_how_much_better_ours_is() -> None:
    """By the median, or by the rate where that is what was measured."""
    own = {
        "warm-1": row("warm invoke", sample([1.0, 1.0, 1.0], 1)),
        "warm-16": row("throughput, c=16", sample([1.0] * 10, 1)),
    }
    others = [
        row("peer: warm", sample([3.0, 3.0], 1), compares="warm-1"),
        row("peer: c=16", sample([1.0] * 5, 1), compares="warm-16"),
        {"measurement": "peer", "note": "left out: not installed"},
    ]
    add_ratios(others, own)
    assert [other.get("ratio") for other in others] == ["3.0 x as fast", "2.0 x the rate", None]
    assert all("compares" not in other for other in others)


def test_the_table_is_put_where_the_last_one_was(tmp_path: Path) -> None:
    """Once, however often."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n")
    table = as_markdown({"cpus": "2"}, [row("warm", sample([1.0], 1))])
    for _ in range(2):
        write_between_marks(page, table)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert text.count("| warm | 1 | 0 | 1.0 | 1.0 | 1.0 |") == 1
    assert "old" not in text
