"""No limit is ever exceeded, and what is set aside is there for whom it was set aside."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lambent.invocation.admission import Admission, RunningCounter
from lambent.invocation.settings import InvocationSettings
from lambent.model.concurrency import Claim, Reservation
from lambent.model.function import FunctionVersion
from lambent.model.invocation import Refused
from tests.unit.invocation.versions import version_of

RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
UNRESERVED = "ConcurrentInvocationLimitExceeded"


def admission(limit: int = 10) -> Admission:
    return Admission(InvocationSettings(concurrent_executions=limit))


def admit(counts: Admission, version: FunctionVersion) -> RunningCounter:
    """Count one for which there is room."""
    admitted = counts.admit(version)
    assert not isinstance(admitted, Refused)
    return admitted


def fill(counts: Admission, version: FunctionVersion) -> tuple[int, str]:
    """How many may run beside what runs, and why not more; they stay."""
    for number in range(1000):
        admitted = counts.admit(version)
        if isinstance(admitted, Refused):
            error = admitted.error
            assert (error.code, error.message) == ("TooManyRequestsException", "Rate Exceeded.")
            assert error.status == 429
            return number, str(error.members["Reason"])
    raise AssertionError("no limit")


def claim(version: FunctionVersion, number: int) -> Reservation:
    return Reservation(claims=(Claim(version.version, ((version, number),)),))


def test_the_account_s_limit() -> None:
    """Shared by all functions of one account, not by accounts."""
    counts = admission()
    counts.admit(version_of("g"))
    assert fill(counts, version_of("f")) == (9, UNRESERVED)
    assert fill(counts, version_of("f", account="1" * 12)) == (10, UNRESERVED)


def test_a_reservation_is_a_guarantee_and_a_limit() -> None:
    """Over all versions; the others have what is left."""
    counts = admission()
    counts.apply_quota(version_of("f").key, Reservation(reserved=4))
    assert fill(counts, version_of("g")) == (6, UNRESERVED)
    counts.admit(version_of("f", "1"))
    assert fill(counts, version_of("f", "2")) == (3, RESERVED)


def test_nothing_reserved_disables() -> None:
    """0 throttles every call."""
    counts = admission()
    counts.apply_quota(version_of("f").key, Reservation(reserved=0))
    assert fill(counts, version_of("f")) == (0, RESERVED)
    counts.apply_quota(version_of("f").key, Reservation())
    assert fill(counts, version_of("f"))[0] == 10


def test_provisioned_concurrency_is_set_aside_and_spills_over() -> None:
    """Its version has it to itself and shares the pool beyond."""
    counts = admission()
    one = version_of("f", "1")
    counts.apply_quota(one.key, claim(one, 3))
    assert fill(counts, version_of("f", "2")) == (7, UNRESERVED)
    assert fill(counts, one) == (3, UNRESERVED)
    counts = admission()
    counts.apply_quota(one.key, claim(one, 3))
    assert fill(counts, one) == (10, UNRESERVED)


def test_what_is_provisioned_counts_within_a_reservation() -> None:
    """It takes nothing more from the others."""
    counts = admission()
    one = version_of("f", "1")
    counts.apply_quota(one.key, Reservation(5, claim(one, 3).claims))
    assert fill(counts, version_of("g")) == (5, UNRESERVED)
    assert fill(counts, one) == (5, RESERVED)


def test_what_is_provisioned_is_taken_out_of_the_reservation() -> None:
    """The other versions share the rest, even while nothing provisioned runs."""
    counts = admission()
    one = version_of("f", "1")
    counts.apply_quota(one.key, Reservation(1, claim(one, 1).claims))
    assert fill(counts, version_of("f")) == (0, RESERVED)
    assert fill(counts, one) == (1, RESERVED)
    counts = admission()
    counts.apply_quota(one.key, Reservation(5, claim(one, 3).claims))
    assert fill(counts, version_of("f", "2")) == (2, RESERVED)
    assert fill(counts, one) == (3, RESERVED)


def test_a_lowered_limit_waits_for_what_runs() -> None:
    """And the account's own is kept even then."""
    counts = admission()
    running = [admit(counts, version_of("f")) for _ in range(8)]
    counts.apply_quota(version_of("f").key, Reservation(reserved=2))
    assert fill(counts, version_of("f")) == (0, RESERVED)
    assert fill(counts, version_of("g")) == (2, UNRESERVED)
    for counter in running[:7]:
        counts.release(counter)
    counts.admit(version_of("f"))
    assert fill(counts, version_of("f")) == (0, RESERVED)


def test_nothing_is_remembered_of_what_is_gone() -> None:
    """Not of a deleted function, even if it ran meanwhile."""
    counts = admission()
    for number in range(50):
        version = version_of(f"f{number}")
        counts.apply_quota(version.key, claim(version, 1))
        counter = admit(counts, version)
        counts.apply_quota(version.key, Reservation())
        counts.release(counter)
    assert counts.size == 0
    assert fill(counts, version_of("g"))[0] == 10


ALLOTMENTS = st.builds(
    lambda reserved, numbers: (reserved, numbers),
    st.none() | st.integers(0, 8),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "admit", "admit", "release", "apply_quota"]),
        st.integers(0, 2),
        st.sampled_from(["1", "2"]),
        ALLOTMENTS,
    ),
    max_size=120,
)


@given(STEPS)
def test_no_limit_is_ever_exceeded(steps: list[tuple[str, int, str, tuple]]) -> None:  # type: ignore[type-arg]
    """Against the arithmetic written down once more, the slow way."""
    limit = 12
    counts = admission(limit)
    running: list[tuple[FunctionVersion, RunningCounter]] = []
    allotted = {f"f{number}": (None, (0, 0)) for number in range(3)}
    for step, number, qualifier, wish in steps:
        version = version_of(f"f{number}", qualifier)
        if step == "release" and running:
            counts.release(running.pop(number % len(running))[1])
        elif step == "apply_quota":
            allotted[version.key.name] = wish
            reserved, numbers = wish
            claims = [
                Claim(published, ((version_of(version.key.name, published), many),))
                for published, many in zip("12", numbers, strict=True)
                if many
            ]
            counts.apply_quota(version.key, Reservation(reserved, tuple(claims)))
        elif step == "admit":
            expected = _reason(limit, allotted, [version for version, _ in running], version)
            admitted = counts.admit(version)
            if isinstance(admitted, Refused):
                assert admitted.error.members["Reason"] == expected
            else:
                running.append((version, admitted))
                assert expected is None
                assert len(running) <= limit
    for _, counter in running:
        counts.release(counter)
    for name in allotted:
        counts.apply_quota(version_of(name).key, Reservation())
    assert counts.size == 0
    assert fill(counts, version_of("f0"))[0] == limit


def _reason(  # type: ignore[no-untyped-def]
    limit: int, allotted, running: list[FunctionVersion], version: FunctionVersion
) -> str | None:
    """Why one more of this version may not run; None if it may."""
    of_function = Counter(version.key.name for version in running)
    of_version = Counter((version.key.name, version.version) for version in running)
    own = {
        (name, qualifier): many
        for name, (_, numbers) in allotted.items()
        for qualifier, many in zip("12", numbers, strict=True)
    }
    reserved = {name: most for name, (most, _) in allotted.items() if most is not None}
    if version.key.name in reserved:
        name = version.key.name
        rest = reserved[name] - sum(own[name, number] for number in "12")
        beyond = sum(max(of_version[name, number] - own[name, number], 0) for number in "12")
        is_beyond = of_version[name, version.version] >= own[name, version.version]
        if of_function[name] >= reserved[name] or (is_beyond and beyond >= rest):
            return RESERVED
    elif of_version[version.key.name, version.version] >= own[version.key.name, version.version]:
        pool = limit - sum(reserved.values())
        pool -= sum(many for (name, _), many in own.items() if name not in reserved)
        pooled = sum(
            max(number - own[key], 0)
            for key, number in of_version.items()
            if key[0] not in reserved
        )
        if pooled >= pool:
            return UNRESERVED
    return UNRESERVED if len(running) >= limit else None
