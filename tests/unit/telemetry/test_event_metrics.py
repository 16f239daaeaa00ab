"""What rules and schedules did, by metric and dimensions."""

from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.events.delivery import EventDelivery
from lambent.telemetry.event_metrics import EventMetrics

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
PLACE = "us-east-1:111111111111"


def delivery(source_arn: str, attempts: int = 0, **attributes: str) -> EventDelivery:
    return EventDelivery(
        target="t",
        service="events.amazonaws.com",
        source_arn=source_arn,
        scope=SCOPE,
        body=b"",
        attempts=attempts,
        attributes=attributes,
        created_at=0,
        due_at=0,
    )


def test_metrics_have_the_dimensions_of_aws() -> None:
    """A rule of another bus than the default one has two; a schedule has its group's."""
    metrics = EventMetrics(ManualClock())
    metrics.note_matched(f"arn:aws:events:{PLACE}:rule/r")
    metrics.note_triggered(f"arn:aws:events:{PLACE}:rule/r")
    rule = f"arn:aws:events:{PLACE}:rule/shop/r"
    metrics.note_attempt(delivery(rule), has_failed=True, is_over=False)
    metrics.note_attempt(delivery(rule, 1), has_failed=False, is_over=True)
    schedule = f"arn:aws:scheduler:{PLACE}:schedule/g/s"
    metrics.note_attempt(delivery(schedule), has_failed=True, is_over=True)
    metrics.note_attempt(delivery(schedule, ERROR_CODE="X"), has_failed=False, is_over=True)
    found = {
        (key.namespace, key.name, key.dimensions): values.sum for (key, _), values in metrics.take()
    }
    of_rule, of_bus = (("RuleName", "r"),), (("EventBusName", "shop"), ("RuleName", "r"))
    of_group = (("ScheduleGroup", "g"),)
    expected = {
        ("AWS/Events", "MatchedEvents", of_rule): 1,
        ("AWS/Events", "TriggeredRules", of_rule): 2,
        ("AWS/Events", "InvocationAttempts", of_bus): 2,
        ("AWS/Events", "RetryInvocationAttempts", of_bus): 1,
        ("AWS/Events", "SuccessfulInvocationAttempts", of_bus): 1,
        ("AWS/Events", "Invocations", of_bus): 1,
        ("AWS/Scheduler", "InvocationAttemptCount", of_group): 1,
        ("AWS/Scheduler", "TargetErrorCount", of_group): 1,
        ("AWS/Scheduler", "InvocationDroppedCount", of_group): 1,
        ("AWS/Scheduler", "InvocationsSentToDeadLetterCount", of_group): 1,
    }
    assert {key: count for key, count in found.items() if key[2]} == expected
    assert {key[:2]: count for key, count in found.items() if not key[2]} == {
        key[:2]: count for key, count in expected.items()
    }
    assert list(metrics.take()) == []
