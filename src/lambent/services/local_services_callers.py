"""Callers of functions that ministack stores and does not run: pipes call, and what cannot call is
refused when it is configured. A task of a state machine that waits for a token learns of failures.

Part of the emulator's program, which loads this file; it imports nothing of the platform.
"""

import contextvars
import importlib
import re
import sys
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Replace = Callable[[Any, str, Callable[..., Any]], None]
"""Replaces a function of a module of ministack: module, name, and the new function."""

_SENT_EVENTS = re.compile(r"s3:(\*|Object(Created|Removed|Restore|Annotation):.+)")
_TRANSFORMED = ("ExtendedS3", "Iceberg")
_PIPE_BATCH_MAX = 100


def lead_callers(deliveries: Any, replace: Replace) -> None:
    """Have them call functions of the platform, or refuse their configuration."""
    _refuse_silent_ones(replace)
    _lead_pipes(deliveries, replace)
    _lead_state_machines(deliveries, replace)


def _refuse_silent_ones(replace: Replace) -> None:
    def service(name: str) -> Any:
        return importlib.import_module(f"ministack.services.{name}")

    mail, objects, streams = map(service, ("ses", "s3", "firehose"))
    check_rule = mail._receipt_rule_error

    def refuse_receipt(rule: Json) -> Any:
        if any("LambdaAction" in action for action in rule["Actions"]):
            text = "The emulator receives no email, so it would never invoke the function."
            return mail._receipt_error("InvalidLambdaFunction", text)
        return check_rule(rule)

    replace(mail, "_receipt_rule_error", refuse_receipt)
    check_notifications = objects._validate_notification_configs

    def refuse_events(configs: list[Json], *more: Any) -> Any:
        for event in (event for config in configs for event in config["events"]):
            if _SENT_EVENTS.fullmatch(event) is None:
                text = f"The emulator does not send the event {event[:100]}."
                return objects._invalid_notification_config(text)
        return check_notifications(configs, *more)

    replace(objects, "_validate_notification_configs", refuse_events)
    check_destination = streams._validate_s3_destination_config

    def refuse_processors(kind: str, config: Json) -> Any:
        processing = config.get("ProcessingConfiguration") or {}
        kinds = {processor.get("Type") for processor in processing.get("Processors") or ()}
        if kind not in _TRANSFORMED and processing.get("Enabled") and "Lambda" in kinds:
            return streams._invalid(f"The emulator transforms no records for {kind}.")
        return check_destination(kind, config)

    replace(streams, "_validate_s3_destination_config", refuse_processors)


def _lead_pipes(deliveries: Any, replace: Replace) -> None:
    pipes = importlib.import_module("ministack.services.pipes")
    create, update, deliver = pipes._create_pipe, pipes._update_pipe, pipes._deliver_batch

    def refusal(given: Json) -> str | None:
        """Why a pipe would not do what the request says."""
        for member, kinds in (("Source", ("dynamodb",)), ("Target", ("lambda", "sns", "states"))):
            if (arn := given.get(member)) and pipes._arn_service(arn) not in kinds:
                return f"The emulator's pipes have no {member} but {', '.join(kinds)}."
        source, target = (
            given.get(name) or {} for name in ("SourceParameters", "TargetParameters")
        )
        if given.get("Enrichment") or source.get("FilterCriteria") or target.get("InputTemplate"):
            return "The emulator's pipes have no enrichments, filters and input templates."
        return None

    def create_checked(name: str, given: Json) -> Any:
        if text := refusal(given):
            return pipes._error(400, "ValidationException", text)
        response = create(name, given)
        source = (given.get("SourceParameters") or {}).get("DynamoDBStreamParameters") or {}
        if response[0] == 200 and source.get("StartingPosition") == "TRIM_HORIZON":
            pipe = pipes._pipes[name]
            pipe["StartingPosition"] = "TRIM_HORIZON"
            pipes._positions[pipe["Arn"]] = pipes._initial_position(pipe)
        return response

    def update_checked(name: str, given: Json) -> Any:
        if text := refusal(given):
            return pipes._error(400, "ValidationException", text)
        return update(name, given)

    def deliver_batch(pipe: Json, records: list[Json]) -> bool:
        if pipes._arn_service(pipe["Target"]) != "lambda":
            return bool(deliver(pipe, records))
        for start in range(0, len(records), _PIPE_BATCH_MAX):
            batch = records[start : start + _PIPE_BATCH_MAX]
            source = {
                "service": "pipes.amazonaws.com",
                "arn": pipe["Arn"],
                "account": pipe["Arn"].split(":")[4],
                "role": pipe.get("RoleArn", ""),
            }
            result = deliveries.call(pipe["Target"], batch, source)
            if result.get("error"):
                why = result.get("code") or "its function failed"
                pipe["StateReason"] = f"The function is called again: {why}"
                _log(f"the pipe {pipe['Name']} retries: {why}")
                return False
        pipe["StateReason"] = ""
        return True

    replace(pipes, "_create_pipe", create_checked)
    replace(pipes, "_update_pipe", update_checked)
    replace(pipes, "_deliver_batch", deliver_batch)


def _lead_state_machines(deliveries: Any, replace: Replace) -> None:
    machines = importlib.import_module("ministack.services.stepfunctions")
    invoke, wait = machines._invoke_resource, machines._invoke_with_callback
    call = machines._call_lambda
    token_of_task: contextvars.ContextVar[str] = contextvars.ContextVar("token", default="")

    def qualified(resource: str, given: Any) -> Any:
        """The parameters of `lambda:invoke` with the qualifier in the name of the function."""
        is_invoke = "states:::lambda:invoke" in resource and isinstance(given, dict)
        if not is_invoke or not given.get("Qualifier"):
            return given
        return {**given, "FunctionName": f"{given.get('FunctionName')}:{given['Qualifier']}"}

    def invoke_qualified(resource: str, given: Any) -> Any:
        return invoke(resource, qualified(resource, given))

    def wait_qualified(resource: str, given: Any, token: str, state: Json) -> Any:
        token_of_task.set(token)
        try:
            return wait(resource, qualified(resource, given), token, state)
        finally:
            token_of_task.set("")

    def call_or_fail(function: str, event: Any) -> Any:
        try:
            return call(function, event)
        except machines._ExecutionError as error:
            # A function that failed or was not invoked completes no task.
            task = machines._task_tokens.get(token_of_task.get())
            if task is not None and not task["event"].is_set():
                task["error"] = {"Error": error.error, "Cause": error.cause}
                task["event"].set()
            raise

    run = machines._run_execution

    def run_with_role(execution_arn: str) -> None:
        execution = machines._executions.get(execution_arn) or {}
        arn = execution.get("stateMachineArn", "")
        machine = machines._state_machines.get(arn) or {}
        source = {
            "service": "states.amazonaws.com",
            "arn": arn,
            "account": arn.split(":")[4] if arn else "",
            "role": machine.get("roleArn", ""),
        }
        token = deliveries.caller.set(source)
        try:
            run(execution_arn)
        finally:
            deliveries.caller.reset(token)

    replace(machines, "_run_execution", run_with_role)
    replace(machines, "_invoke_resource", invoke_qualified)
    replace(machines, "_invoke_with_callback", wait_qualified)
    replace(machines, "_call_lambda", call_or_fail)


def _log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
