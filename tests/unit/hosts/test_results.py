"""Results of hosts: what is kept, what is replaced, and the table."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hosts.inside.outcomes import FAILED, NOT_RUN, PASSED, REFUSED, Outcome
from tests.hosts.results import HostResult, keep, merged, page, read, table

STARTED = Outcome("start", PASSED, "isolation tier root", 3.0)


def result(host: str, *outcomes: Outcome, commit: str = "abc") -> HostResult:
    """A result of a host."""
    return HostResult(host, f"what {host} is", "6.1", "runc", "2026-01-02", commit, outcomes)


def test_one_host_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    """Hosts are in the order of the list, whenever they were run; what is read is what was kept."""
    path = tmp_path / "hosts.json"
    order = ["first", "second"]
    keep(result("second", STARTED), order, path)
    keep(result("first", STARTED), order, path)
    again = result("second", replace(STARTED, state=FAILED), commit="def")
    kept = keep(again, order, path)
    assert [written.host for written in kept] == order
    assert kept[0].is_good
    assert not kept[1].is_good
    assert [written.commit for written in read(path)] == ["abc", "def"]
    assert [list(written.outcomes) for written in read(path)] == [
        list(written.outcomes) for written in kept
    ]


def test_a_host_that_is_no_longer_run_keeps_its_result(tmp_path: Path) -> None:
    """It comes last."""
    path = tmp_path / "hosts.json"
    keep(result("gone", STARTED), ["gone"], path)
    kept = keep(result("new", STARTED), ["new"], path)
    assert [written.host for written in kept] == ["new", "gone"]


def test_some_checks_of_the_same_commit_join_the_others() -> None:
    """Results of another commit are not taken over."""
    before = result("h", STARTED, Outcome("burst", FAILED, "slow", 1.0))
    now = result("h", Outcome("burst", PASSED, "", 2.0))
    assert [outcome.state for outcome in merged(before, now).outcomes] == [PASSED, PASSED]
    other = replace(now, commit="def")
    assert [outcome.check for outcome in merged(before, other).outcomes] == ["burst"]
    assert merged(None, now) == now


def test_a_host_that_starts_the_next_time_did_not_fail() -> None:
    """Its earlier failure is forgotten; other outcomes of the same commit stay."""
    before = result("a", Outcome("host", "failed", "no disk", 0.0), Outcome("x", "passed", "", 1.0))
    now = result("a", Outcome("y", "passed", "", 1.0))
    assert [outcome.check for outcome in merged(before, now).outcomes] == ["x", "y"]


def test_the_table_says_what_did_not_pass() -> None:
    """A sign for each check and the sentence of each that did not pass; nothing breaks a row."""
    result_of_host = result(
        "h",
        STARTED,
        Outcome("SnapStart", REFUSED, "not | on\narm64", 1.0),
        Outcome("burst", FAILED, "<nothing> came", 1.0),
        Outcome("node", NOT_RUN, "no Node.js", 0.0),
    )
    text = table([result_of_host], ["start", "SnapStart", "burst", "node", "kill"], {})
    assert "| h | what h is | 6.1 | runc | root | 2026-01-02 | abc |" in text
    rows = ["start | ✓", "SnapStart | refused", "burst | **✗**", "node | –", "kill | "]
    for row in rows:
        assert f"| {row} |" in text
    assert "- h, SnapStart, refused: not \\| on arm64" in text
    assert "- h, burst, failed: &lt;nothing> came" in text
    assert "start, passed" not in text


def test_a_host_that_did_not_start_has_no_tier() -> None:
    """The reason is shown, though it is not a check."""
    row = result("h", Outcome("host", FAILED, "no kernel", 0.0))
    assert row.tier == "–"
    assert "- h, host, failed: no kernel" in table([row], ["start"], {"h": "what h is"})


def test_only_the_part_between_the_marks_is_written() -> None:
    """A page without marks is an error, and is not overwritten."""
    text = "# Hosts\n<!-- hosts:begin -->\nold\n<!-- hosts:end -->\nafter\n"
    written = page(text, [result("h", STARTED)], ["start"], {})
    assert written.startswith("# Hosts\n<!-- hosts:begin -->\n")
    assert written.endswith("<!-- hosts:end -->\nafter\n")
    assert "old" not in written
    assert page(written, [result("h", STARTED)], ["start"], {}) == written
    with pytest.raises(ValueError, match="hosts:begin"):
        page("# Hosts\n", [], [], {})


def test_what_is_kept_is_json_for_others(tmp_path: Path) -> None:
    """Names of fields are part of the file."""
    path = tmp_path / "hosts.json"
    keep(result("h", STARTED), ["h"], path)
    (entry,) = json.loads(path.read_text())
    assert entry["host"] == "h"
    assert entry["outcomes"] == [
        {"check": "start", "state": "passed", "note": "isolation tier root", "seconds": 3.0}
    ]


def test_hosts_that_were_never_run_are_named() -> None:
    """A missing result says nothing about a host."""
    hosts = {"h": "what h is", "later": "a | machine"}
    text = table([result("h", STARTED)], ["start"], hosts)
    assert text.endswith("Not run yet:\n\n- later: a \\| machine")
    assert "Not run yet" not in table([result("h", STARTED)], ["start"], {"h": "what h is"})
