"""The results by host: a file that stores them, and the table generated from it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.hosts.inside.outcomes import FAILED, NOT_RUN, PASSED, REFUSED, Outcome
from tests.hosts.steps import ROOT

RESULTS = ROOT / "docs/reference/hosts.json"
PAGE = ROOT / "docs/hosts.md"
BEGIN, END = "<!-- hosts:begin -->", "<!-- hosts:end -->"
SIGNS = {PASSED: "✓", FAILED: "**✗**", REFUSED: "refused", NOT_RUN: "–"}


@dataclass(frozen=True)
class HostResult:
    """One run on one host."""

    host: str
    what: str
    """A description for people."""
    kernel: str
    how: str
    """Emulated, KVM, runc, …"""
    date: str
    commit: str
    outcomes: Sequence[Outcome]

    @property
    def is_good(self) -> bool:
        """Whether no check failed."""
        return all(outcome.state != FAILED for outcome in self.outcomes)

    @property
    def tier(self) -> str:
        """The isolation that the platform reported, or a dash."""
        for outcome in self.outcomes:
            if outcome.check == "start" and outcome.state == PASSED:
                return outcome.note.rpartition(" ")[2]
        return "–"


def read(path: Path = RESULTS) -> list[HostResult]:
    """All stored results, in their order."""
    if not path.exists():
        return []
    return [_from_json(entry) for entry in json.loads(path.read_text())]


def keep(result: HostResult, order: Sequence[str], path: Path = RESULTS) -> list[HostResult]:
    """Replace one host's result and leave the others; returns all. Checks that did not run this
    time keep their earlier outcome. `order`: names of all hosts."""
    results = {result.host: result for result in read(path)}
    results[result.host] = merged(results.get(result.host), result)
    known = [name for name in order if name in results]
    others = [name for name in results if name not in order]
    kept = [results[name] for name in [*known, *others]]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(result) for result in kept], indent=1, ensure_ascii=False)
    path.write_text(text + "\n")
    return kept


def merged(before: HostResult | None, now: HostResult) -> HostResult:
    """A run of some checks, completed by the other checks' outcomes of the previous run if that was
    of the same commit: results of two versions are never combined."""
    if before is None or before.commit != now.commit:
        return now
    # A host that did not start before has started now, or its new outcome says that it has not.
    outcomes = {outcome.check: outcome for outcome in before.outcomes if outcome.check != "host"}
    outcomes |= {outcome.check: outcome for outcome in now.outcomes}
    return HostResult(**{**vars(now), "outcomes": list(outcomes.values())})


def page(
    text: str, results: Sequence[HostResult], checks: Sequence[str], hosts: Mapping[str, str]
) -> str:
    """`text` with the table between its marks. Raises ValueError if the marks are missing."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"the page needs {BEGIN} and {END}")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    return f"{head}{BEGIN}\n\n{table(results, checks, hosts)}\n\n{END}{tail}"


def table(results: Sequence[HostResult], checks: Sequence[str], hosts: Mapping[str, str]) -> str:
    """The hosts, their checks, and the messages of those that did not pass. `hosts`: names and
    descriptions of all hosts."""
    rows = [["host", "what it is", "kernel", "runs", "tier", "date", "commit"]]
    rows += [
        [
            result.host,
            result.what,
            result.kernel,
            result.how,
            result.tier,
            result.date,
            result.commit,
        ]
        for result in results
    ]
    marks = [["check", *(result.host for result in results)]]
    for check in checks:
        marks.append([check, *(_sign(result, check) for result in results)])
    notes = [
        f"- {result.host}, {outcome.check}, {outcome.state}: {_cell(outcome.note)}"
        for result in results
        for outcome in result.outcomes
        if outcome.state != PASSED
    ]
    parts = [_markdown(rows), _markdown(marks)]
    if notes:
        parts.append("What did not pass, in its own words:\n\n" + "\n".join(notes))
    known = {result.host for result in results}
    if missing := [
        f"- {name}: {_cell(description)}"
        for name, description in hosts.items()
        if name not in known
    ]:
        parts.append("Not run yet:\n\n" + "\n".join(missing))
    return "\n\n".join(parts)


def _sign(result: HostResult, check: str) -> str:
    for outcome in result.outcomes:
        if outcome.check == check:
            return SIGNS[outcome.state]
    return ""


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _from_json(entry: Mapping[str, Any]) -> HostResult:
    outcomes = [Outcome(**outcome) for outcome in entry["outcomes"]]
    return HostResult(**{**entry, "outcomes": outcomes})
