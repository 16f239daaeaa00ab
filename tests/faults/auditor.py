"""Judges what several machines did while faults happened. Pure: see `test_auditor.py`.

Nothing that was acknowledged is lost, every answer is right, each tick of a schedule is one event,
no limit is exceeded. Calls fail, and events run again, only where a fault explains it.
"""

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.faults.injection import Happened
from tests.faults.plan import DATABASE
from tests.faults.recorder import Said

RETRIES = 2
SETTLES_S = 20.0
"""How long a fault may be felt after its machine serves: one that was removed notices that, and
starts again."""
THROTTLED = 429
_HARMLESS = frozenset({"shift clock", "lose neighbor"})
"""Faults that explain nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A request, and how it ended."""

    machine: str
    began: float
    ended: float
    status: int
    """Of HTTP; 0 if no response came."""
    problem: str
    """Empty if it succeeded."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """Something that was acknowledged, by its name."""

    name: str
    at: float
    request: str | None
    """The request id of the acknowledgement, for events."""
    fails: bool = False
    """Whether the function is to fail."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a run."""

    happened: Sequence[Happened]
    calls: Sequence[Call]
    sent: Sequence[Sent]
    said: Sequence[Said]
    dead: Iterable[str]
    """The names of what is at the destination for failures."""
    ticks: Iterable[str]
    """The names of schedules that were due once."""
    most: Mapping[str, int]
    """By the name of a limit: how much ran at once."""
    limits: Mapping[str, int]
    machines: Mapping[str, str]
    """Their names, by address."""


def judge(evidence: Evidence) -> Sequence[str]:
    """What is wrong; empty if nothing is."""
    runs: dict[str, list[Said]] = defaultdict(list)
    for said in evidence.said:
        for name in said.fields["names"]:
            runs[name].append(said)
    return [
        *_losses(evidence, runs),
        *_wrong_requests(evidence, runs),
        *_repetitions(evidence, runs),
        *_failures(evidence),
        *(
            f"{evidence.most[name]} at once of {name}, whose limit is {limit}"
            for name, limit in evidence.limits.items()
            if evidence.most[name] > limit
        ),
    ]


def _losses(evidence: Evidence, runs: Mapping[str, Sequence[Said]]) -> Iterable[str]:
    dead = set(evidence.dead)
    for sent in evidence.sent:
        if sent.name not in runs and sent.name not in dead:
            yield f"{sent.name} was acknowledged at {sent.at:.1f} and is lost"
        elif sent.fails and sent.name not in dead:
            yield f"{sent.name} failed and is not at its destination"
    for name in evidence.ticks:
        if name not in runs and name not in dead:
            yield f"{name} was due and did not run"


def _wrong_requests(evidence: Evidence, runs: Mapping[str, Sequence[Said]]) -> Iterable[str]:
    expected = {sent.name: sent.request for sent in evidence.sent if sent.request is not None}
    for name, said in runs.items():
        requests = {entry.fields["request"] for entry in said}
        if name in expected and requests != {expected[name]}:
            yield f"{name} ran as {sorted(requests)}, not as {expected[name]}"
        if name in evidence.ticks and len(requests) > 1:
            yield f"{name} became {len(requests)} events"


def _repetitions(evidence: Evidence, runs: Mapping[str, Sequence[Said]]) -> Iterable[str]:
    fails = {sent.name for sent in evidence.sent if sent.fails}
    for name, said in runs.items():
        spare = RETRIES if name in fails else 0
        for before, after in itertools.pairwise(said):
            machine = evidence.machines.get(before.address, before.address)
            if explained(evidence.happened, machine, before.at - 1, after.at):
                continue
            spare -= 1
            if spare < 0:
                yield (
                    f"{name} ran at {before.at:.1f} on {machine} and again at {after.at:.1f},"
                    " and no fault explains it"
                )


def _failures(evidence: Evidence) -> Iterable[str]:
    for call in evidence.calls:
        if not call.problem:
            continue
        # After a machine was lost, its shares of limits are missing on all others.
        machine = None if call.status == THROTTLED else call.machine
        if not explained(evidence.happened, machine, call.began - SETTLES_S, call.ended):
            yield f"{call.machine} at {call.began:.1f} to {call.ended:.1f}: {call.problem}"


def explained(happened: Iterable[Happened], machine: str | None, begin: float, end: float) -> bool:
    """Whether a fault of a machine, or of any if it is None, or of the database, may have had an
    effect between two moments."""
    return any(
        entry.fault.kind not in _HARMLESS
        and entry.fault.target in (machine or entry.fault.target, DATABASE)
        and entry.began <= end
        and entry.ended >= begin
        for entry in happened
    )
