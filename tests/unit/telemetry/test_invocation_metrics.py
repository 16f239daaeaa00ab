"""What calls add up to, by metric, dimensions and minute."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lambent.model.arn import AccountId, Region
from lambent.model.function import FunctionKey
from lambent.model.invocation import InvocationKind, OutcomeKind
from lambent.model.invocation_ended import Concurrency, InvocationEnded
from lambent.telemetry.exposition import families_of, render
from lambent.telemetry.invocation_metrics import InvocationMetrics
from lambent.telemetry.metrics import Metrics
from lambent.telemetry.series.distribution import Distribution

KEY = FunctionKey(AccountId("111111111111"), Region("us-east-1"), "f")
MINUTE = 28_000_000


def ended(outcome: OutcomeKind = OutcomeKind.SUCCEEDED, **changes: Any) -> InvocationEnded:
    call = InvocationEnded(
        key=KEY,
        version="3",
        qualifier=None,
        kind=InvocationKind.REQUEST_RESPONSE,
        request_id="r",
        trace_id="t",
        started_at=MINUTE * 60.0 + 1,
        queued_s=0.0,
        init_s=None,
        duration_s=0.25,
        outcome=outcome,
        error_type=None,
        request_bytes=2,
        response_bytes=2,
        memory_mb=128,
        memory_used_mb=40,
        is_provisioned=False,
        concurrency=Concurrency(function=1, account=1, unreserved=1),
    )
    return call._replace(**changes)


def take(metrics: InvocationMetrics) -> dict[tuple[str, Any, int], Distribution]:
    """By name, `Resource` or the number of dimensions, and minute after `MINUTE`."""
    return {
        (
            key.name,
            dict(key.dimensions).get("Resource", len(key.dimensions)),
            minute - MINUTE,
        ): values
        for (key, minute), values in metrics.take()
    }


def test_calls_are_counted_in_every_dimension() -> None:
    """For the Region, the function, what was called and, of an alias, the version that ran."""
    metrics = InvocationMetrics(Metrics())
    metrics.note(ended(qualifier="live"))
    found = {key.dimensions for (key, _), _ in metrics.take() if key.name == "Invocations"}
    of_function = ("FunctionName", "f")
    assert found == {
        (),
        (of_function,),
        (of_function, ("Resource", "f:live")),
        (("ExecutedVersion", "3"), of_function, ("Resource", "f:live")),
    }
    assert list(metrics.take()) == []


def test_errors_have_a_rate() -> None:
    """Each call that ran is a value of Errors, 0 or 1; refused ones are not."""
    metrics = InvocationMetrics(Metrics())
    for outcome in OutcomeKind:
        metrics.note(ended(outcome))
    found = take(metrics)
    ran = found["Invocations", "f", 0]
    assert (ran.count, ran.sum) == (4, 4)
    errors = found["Errors", "f", 0]
    assert (errors.count, errors.sum, errors.average) == (4, 3, 0.75)
    assert found["Throttles", "f", 0].sum == 1
    duration = found["Duration", "f", 0]
    assert (duration.count, duration.average) == (4, pytest.approx(250.0))
    assert duration.percentile(99) == pytest.approx(250.0, rel=0.01)


def test_a_call_belongs_to_the_minute_in_which_it_started() -> None:
    """As in CloudWatch."""
    metrics = InvocationMetrics(Metrics())
    metrics.note(ended())
    metrics.note(ended(started_at=MINUTE * 60.0 + 61))
    found = take(metrics)
    assert [found["Invocations", "f", minute].sum for minute in (0, 1)] == [1, 1]


def test_concurrency_is_the_most_there_was() -> None:
    """Of the function, and of all functions of the account in the Region."""
    metrics = InvocationMetrics(Metrics())
    for number in (1, 5, 2):
        now = Concurrency(function=number, account=number + 2, unreserved=number + 1)
        metrics.note(ended(concurrency=now))
    found = take(metrics)
    assert found["ConcurrentExecutions", "f", 0].max == 5
    assert found["ConcurrentExecutions", 0, 0].max == 7
    assert found["UnreservedConcurrentExecutions", 0, 0].max == 6
    assert not any(name.startswith("Provisioned") for name, _, _ in found)


def test_provisioned_concurrency_and_what_spills_over() -> None:
    """By the version or alias that was called."""
    metrics = InvocationMetrics(Metrics())
    for is_provisioned, used in ((True, 1), (True, 2), (False, 2)):
        now = Concurrency(3, 3, 0, provisioned=used, provisioned_max=2)
        metrics.note(ended(qualifier="live", is_provisioned=is_provisioned, concurrency=now))
    found = take(metrics)
    assert found["ProvisionedConcurrencyInvocations", "f:live", 0].sum == 2
    assert found["ProvisionedConcurrencySpilloverInvocations", "f:live", 0].sum == 1
    assert found["ProvisionedConcurrentExecutions", "f:live", 0].max == 2
    assert found["ProvisionedConcurrencyUtilization", "f:live", 0].max == 1.0


def test_sums_are_there_for_prometheus() -> None:
    """Under the names that the other metrics have."""
    sums = Metrics()
    metrics = InvocationMetrics(sums)
    metrics.note(ended())
    metrics.note(ended(OutcomeKind.CRASHED))
    list(metrics.take())
    text, _ = render(families_of(sums.sums(KEY.account)), "")
    found = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.labels["function"] == "f"
    }
    assert found["lambent_invocations_total", None] == 2
    assert found["lambent_errors_total", None] == 1
    assert found["lambent_duration_seconds_sum", None] == 0.5
    assert found["lambent_duration_seconds_count", None] == 2
    assert found["lambent_duration_seconds_bucket", "0.1"] == 0
    assert found["lambent_duration_seconds_bucket", "0.25"] == 2
    assert sums.sums(AccountId("222222222222")) == []
