"""The warm-up of a process that was forked from a zygote.

It serves one artificial event, with the same code that serves real ones, so that the pages which
this needs are already copied and nothing is left to be imported. This happens while no caller
waits, before any function is known. Nothing of it remains: streams, logging and modules are as they
were.

Works on Python 3.8 and later.
"""

import logging
import os
import sys

from awslambdaric.lambda_runtime_client import InvocationRequest, LambdaRuntimeClient

LOG_VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD"


class Over(BaseException):
    """The warm-up has ended."""


class Client(LambdaRuntimeClient):
    """Returns one event and takes its response."""

    has_given = False

    def wait_next_invocation(self):
        if self.has_given:
            raise Over()
        self.has_given = True
        return InvocationRequest(
            invoke_id="00000000-0000-0000-0000-000000000000",
            x_amzn_trace_id=None,
            invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:warm_up",
            deadline_time_in_ms=0,
            client_context=None,
            cognito_identity=None,
            tenant_id=None,
            content_type="application/json",
            event_body=b'{"key": ["value", 1, 1.5, true, null]}',
            invocation_id=None,
        )

    def post_invocation_result(self, *_arguments, **_more):
        pass

    def post_invocation_error(self, _invoke_id, error, *_arguments, **_more):
        raise RuntimeError("the warm-up failed: {}".format(error))


def handler(event, context):
    """The function of the warm-up."""
    logging.getLogger().debug("nothing")
    return {"event": event, "left_ms": context.get_remaining_time_in_millis()}


def warm_up(serve):
    """Make `serve(handler, client)` serve one event."""
    streams = sys.stdout, sys.stderr
    os.environ[LOG_VARIABLE] = str(os.open(os.devnull, os.O_WRONLY))
    try:
        serve("warm_up.handler", Client)
    except Over:
        pass
    finally:
        sys.stdout, sys.stderr = streams
        root = logging.getLogger()
        for handler in list(root.handlers):
            root.removeHandler(handler)
        root.setLevel(logging.WARNING)
        os.environ.pop("_X_AMZN_TRACE_ID", None)
