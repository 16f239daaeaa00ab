"""Limits of concurrency under load, and environments that are initialized ahead.

The functions report when they were entered and left; the clock is the same in all boxes, so
concurrency is counted from inside.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from .conftest import Platform, deploy, invoke, wait_for

SPAN = """
import time
def handler(event, context):
    entered = time.monotonic()
    time.sleep(0.03)
    return [entered, time.monotonic()]
"""
SMALL = {
    "LAMBENT_INVOCATION__CONCURRENT_EXECUTIONS": "6",
    "LAMBENT_CONTROL__UNRESERVED_CONCURRENCY_MIN": "1",
}
Span = tuple[float, float]


class Load:
    """Callers that call one function continuously, each on its own thread."""

    def __init__(self, platform: Platform, name: str, callers: int, **more: Any) -> None:
        self.spans: list[Span] = []
        self.reasons: set[str] = set()
        self._is_over = threading.Event()
        self._name, self._more = name, more
        clients = [platform.client("lambda") for _ in range(callers)]
        self._threads = [threading.Thread(target=self._call, args=(client,)) for client in clients]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _call(self, client: Any) -> None:
        while not self._is_over.is_set():
            try:
                entered, left = invoke(client, self._name, **self._more)[0]
            except ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 429
                self.reasons.add(error.response["Reason"])
            else:
                self.spans.append((entered, left))


def most_at_once(spans: Sequence[Span]) -> int:
    """How many of these ran at the same time."""
    most = running = 0
    for _, step in sorted(
        moment for entered, left in spans for moment in ((entered, 1), (left, -1))
    ):
        running += step
        most = max(most, running)
    return most


def refused(call: Callable[[], object]) -> tuple[int, str]:
    """Status and reason."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    assert response["Error"]["Code"] == "TooManyRequestsException"
    assert response["Error"]["Message"] == "Rate Exceeded."
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Reason"]


def test_nothing_reserved_disables_a_function(lambda_client: Any) -> None:
    """From the moment the call returns, until the reservation is removed."""
    name = "disabled"
    deploy(lambda_client, name, {"app.py": SPAN})
    lambda_client.publish_version(FunctionName=name)
    invoke(lambda_client, name)
    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    for _ in range(5):
        lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        assert refused(lambda: invoke(lambda_client, name)) == (429, reason)
        assert refused(lambda: invoke(lambda_client, name, Qualifier="1")) == (429, reason)
        lambda_client.delete_function_concurrency(FunctionName=name)
        invoke(lambda_client, name)


def test_a_reservation_is_never_exceeded(platform: Platform, lambda_client: Any) -> None:
    """Twenty callers of two versions get three at once; and two once two are reserved."""
    name = "reserved"
    deploy(lambda_client, name, {"app.py": SPAN})
    lambda_client.publish_version(FunctionName=name)
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
    loads = [Load(platform, name, 10), Load(platform, name, 10, Qualifier="1")]
    wait_for(lambda: sum(len(load.spans) for load in loads) > 60, "calls under the first limit")
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    lowered_at = time.monotonic()
    before = sum(len(load.spans) for load in loads)
    wait_for(lambda: sum(len(load.spans) for load in loads) > before + 40, "calls under the second")
    for load in loads:
        load.stop()
    spans = [span for load in loads for span in load.spans]
    assert most_at_once(spans) == 3
    later = [span for span in spans if span[0] > lowered_at]
    # Calls that were admitted under the old limit may have entered a moment later.
    settled_at = sorted(span[1] for span in later)[3]
    assert most_at_once([span for span in later if span[0] > settled_at]) == 2
    assert {reason for load in loads for reason in load.reasons} == {
        "ReservedFunctionConcurrentInvocationLimitExceeded"
    }


def test_the_others_share_what_is_not_reserved(start_platform: Any) -> None:
    """The account has six, of which two are reserved for one function: the other never has more
    than four."""
    own = start_platform(environment=SMALL)
    client = own.client("lambda")
    for name in ("reserving", "sharing"):
        deploy(client, name, {"app.py": SPAN})
    client.put_function_concurrency(FunctionName="reserving", ReservedConcurrentExecutions=2)
    loads = [Load(own, name, 10) for name in ("reserving", "sharing")]
    wait_for(lambda: all(len(load.spans) > 40 for load in loads), "calls of both")
    for load in loads:
        load.stop()
    reserving, sharing = loads
    assert most_at_once(reserving.spans) == 2
    assert most_at_once(sharing.spans) == 4
    assert most_at_once([*reserving.spans, *sharing.spans]) <= 6
    assert reserving.reasons == {"ReservedFunctionConcurrentInvocationLimitExceeded"}
    assert sharing.reasons == {"ConcurrentInvocationLimitExceeded"}


def test_what_was_counted_is_released(platform: Platform, lambda_client: Any) -> None:
    """However a call ends: also with a crash, a timeout, or a caller who does not wait."""
    name = "failing-at-once"
    code = """
import os, time
def handler(event, context):
    if event == "exit": os._exit(1)
    if event == "raise": raise ValueError(event)
    if event == "sleep": time.sleep(30)
    if event == "wait": time.sleep(0.5)
"""
    deploy(lambda_client, name, {"app.py": code}, Timeout=1)
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    for event in ("exit", "raise", "sleep", "exit"):
        assert invoke(lambda_client, name, event)[1]["FunctionError"] == "Unhandled"
        assert "FunctionError" not in invoke(lambda_client, name)[1]
    hasty = platform.client(
        "lambda", config=Config(read_timeout=0.2, retries={"total_max_attempts": 1})
    )
    with pytest.raises(ReadTimeoutError):
        invoke(hasty, name, "wait")
    assert refused(lambda: invoke(lambda_client, name))[0] == 429

    def answers() -> bool:
        try:
            return bool(invoke(lambda_client, name))
        except ClientError:
            return False

    wait_for(answers, "the abandoned call ends")


def test_events_wait_for_their_turn(platform: Platform, lambda_client: Any) -> None:
    """Accepted at once, and run two at a time."""
    name = "two-at-a-time"
    code = SPAN.replace("    return", "    print('SPAN', entered, time.monotonic())\n    return")
    deploy(lambda_client, name, {"app.py": code})
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    for _ in range(5):
        invoke(lambda_client, name, InvocationType="Event")
    logs = platform.client("logs")

    def spans() -> Any:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="SPAN")[
            "events"
        ]
        lines = [event["message"].split() for event in found]
        return len(lines) == 5 and [(float(entered), float(left)) for _, entered, left in lines]

    assert most_at_once(wait_for(spans, "five calls")) <= 2


def test_a_function_grows_so_fast_and_init_ahead_may_take_longer(start_platform: Any) -> None:
    """Two new environments in ten seconds, then 429; an init no call waits for has 130 s."""
    own = start_platform(
        environment={
            "LAMBENT_SCHEDULING__SCALING_PER_10_S": "2",
            "LAMBENT_WORKER__INIT_LIMIT_S": "0.5",
        }
    )
    client = own.client("lambda")
    deploy(client, "growing", {"app.py": "import time\ndef handler(e, c): time.sleep(1)"})
    outcomes: list[str] = []

    def call() -> None:
        try:
            invoke(own.client("lambda"), "growing")
            outcomes.append("answered")
        except ClientError as error:
            outcomes.append(error.response["Reason"])

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [*["ConcurrentInvocationLimitExceeded"] * 2, *["answered"] * 2]
    slow = f"import time\ntime.sleep(1.5)\n{TELLING}"
    deploy(client, "slow-init", {"app.py": slow}, Publish=True)
    provision(client, "slow-init", "1", 1)
    assert shown(client, "slow-init", "1")["Status"] == "IN_PROGRESS"
    wait_ready(client, "slow-init", "1")
    called_at = time.monotonic()
    assert invoke(client, "slow-init", Qualifier="1")[0]["loaded_at"] < called_at


TELLING = """
import os, time, uuid
me, loaded_at = uuid.uuid4().hex, time.monotonic()
def handler(event, context):
    time.sleep(event or 0)
    return {"me": me, "loaded_at": loaded_at, "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
            "group": context.log_group_name, "stream": context.log_stream_name}
"""


def provision(client: Any, name: str, qualifier: str, number: int) -> dict[str, Any]:
    """Ask for environments; returns the answer."""
    answer: dict[str, Any] = client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=number
    )
    return answer


def shown(client: Any, name: str, qualifier: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier
    )
    return found


def wait_ready(client: Any, name: str, qualifier: str) -> dict[str, Any]:
    """Wait until all environments are ready."""

    def is_ready() -> Any:
        found = shown(client, name, qualifier)
        assert found["Status"] in ("IN_PROGRESS", "READY")
        return found if found["Status"] == "READY" else None

    found: dict[str, Any] = wait_for(is_ready, "provisioned concurrency is ready")
    return found


def test_provisioned_environments_are_ready_before_the_first_call(
    platform: Platform, lambda_client: Any
) -> None:
    """Their init is not part of any call, and calls beyond them are on demand."""
    name = "ahead"
    deploy(lambda_client, name, {"app.py": TELLING}, MemorySize=1769, Publish=True)
    answer = provision(lambda_client, name, "1", 2)
    assert (answer["Status"], answer["AllocatedProvisionedConcurrentExecutions"]) == (
        "IN_PROGRESS", 0,
    )  # fmt: skip
    found = wait_ready(lambda_client, name, "1")
    assert found["AllocatedProvisionedConcurrentExecutions"] == 2
    assert found["AvailableProvisionedConcurrentExecutions"] == 2
    ready_at = time.monotonic()
    answers: list[dict[str, Any]] = []

    def call() -> None:
        answers.append(invoke(platform.client("lambda"), name, 1.0, Qualifier="1")[0])

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer["type"] for answer in answers) == [
        "on-demand", "provisioned-concurrency", "provisioned-concurrency",
    ]  # fmt: skip
    logs = platform.client("logs")
    for answer in answers:
        is_ahead = answer["type"] == "provisioned-concurrency"
        assert (answer["loaded_at"] < ready_at) == is_ahead

        def events(stream: str = answer["stream"], group: str = answer["group"]) -> list[str]:
            found = logs.get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True
            )["events"]
            return [event["message"] for event in found]

        lines = wait_for(lambda: [*events()] if "REPORT" in events()[-1] else None, "the report")
        assert ("Init Duration" in lines[-1]) != is_ahead
        assert any(line.startswith("INIT_REPORT Init Duration") for line in lines) == is_ahead
    (listed,) = lambda_client.list_provisioned_concurrency_configs(FunctionName=name)[
        "ProvisionedConcurrencyConfigs"
    ]
    assert listed["Status"] == "READY"
    assert invoke(lambda_client, name)[0]["type"] == "on-demand"


def test_an_alias_takes_its_environments_along(lambda_client: Any) -> None:
    """To the version it leads to; they go with the configuration or with the alias."""
    name = "moving"
    deploy(lambda_client, name, {"app.py": TELLING}, Publish=True)
    lambda_client.update_function_configuration(FunctionName=name, Description="new")
    lambda_client.get_waiter("function_updated_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 0.05}
    )
    lambda_client.publish_version(FunctionName=name)
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    provision(lambda_client, name, "live", 1)
    wait_ready(lambda_client, name, "live")
    first = invoke(lambda_client, name, Qualifier="live")[0]
    lambda_client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    wait_ready(lambda_client, name, "live")
    second = invoke(lambda_client, name, Qualifier="live")[0]
    assert [answer["type"] for answer in (first, second)] == ["provisioned-concurrency"] * 2
    assert first["me"] != second["me"]
    assert invoke(lambda_client, name, Qualifier="1")[0]["type"] == "on-demand"
    lambda_client.delete_alias(FunctionName=name, Name="live")
    assert invoke(lambda_client, name, Qualifier="2")[0]["type"] == "on-demand"
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with pytest.raises(ClientError) as caught:
        shown(lambda_client, name, "live")
    assert caught.value.response["Error"]["Code"] == "ProvisionedConcurrencyConfigNotFoundException"


def test_an_init_that_fails_is_reported(lambda_client: Any) -> None:
    """The configuration fails, with AWS's reason; calls still get their own error."""
    name = "unready"
    deploy(lambda_client, name, {"app.py": "raise ValueError('no')"}, Publish=True)
    provision(lambda_client, name, "1", 3)

    def failed() -> Any:
        found = shown(lambda_client, name, "1")
        return found if found["Status"] == "FAILED" else None

    found = wait_for(failed, "the failure is told")
    assert found["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert found["AvailableProvisionedConcurrentExecutions"] == 0
    assert invoke(lambda_client, name, Qualifier="1")[1]["FunctionError"] == "Unhandled"
    lambda_client.delete_function(FunctionName=name)


def test_limits_outlive_the_platform(start_platform: Any) -> None:
    """Both apply again before the first call returns."""
    first = start_platform()
    client = first.client("lambda")
    for name in ("off", "on"):
        deploy(client, name, {"app.py": TELLING}, Publish=True)
    client.put_function_concurrency(FunctionName="off", ReservedConcurrentExecutions=0)
    provision(client, "on", "1", 1)
    wait_ready(client, "on", "1")
    assert first.stop() == 0
    second = start_platform(first.data_dir)
    client = second.client("lambda")
    assert refused(lambda: invoke(client, "off"))[0] == 429
    wait_ready(client, "on", "1")
    assert invoke(client, "on", Qualifier="1")[0]["type"] == "provisioned-concurrency"
