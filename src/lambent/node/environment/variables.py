"""The environment variables a function sees.

Three layers: defaults that a user may override, the user's variables, and reserved ones. Nothing
of the host's environment is among them.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from collections.abc import Mapping

from lambent.model.credentials import Credentials
from lambent.model.debugging import DebuggedVersion
from lambent.model.function import FunctionVersion
from lambent.model.limits import RESERVED_ENVIRONMENT_KEYS
from lambent.node.languages.launch import RUNTIME_DIR, TASK_ROOT, LaunchSpec

RUNTIME_API = "127.0.0.1:9001"
CREDENTIALS_PATH = "/2021-04-23/credentials"
SNAP_START = "snap-start"
ENDPOINT_URL = "http://127.0.0.1:9002"
"""The address of the platform's API inside a box."""
_DEFAULTS = {
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib"
    ":/var/task:/var/task/lib:/opt/lib",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
    "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
    "_AWS_XRAY_DAEMON_PORT": "2000",
    "AWS_ENDPOINT_URL": ENDPOINT_URL,
}


_RUNTIME_ONLY = frozenset(
    {
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "PWD",
        "SHLVL",
        "_AWS_XRAY_DAEMON_ADDRESS",
        "_AWS_XRAY_DAEMON_PORT",
        "_HANDLER",
    }
)


def environment_variables(
    function: FunctionVersion,
    *,
    launch: LaunchSpec,
    log_stream: str,
    credentials: Credentials,
    initialization_type: str = "on-demand",
    credentials_token: str = "",
) -> dict[str, str]:
    """All variables of one environment of `function`, with the credentials of its role or, if it
    starts from a snapshot, the token that gets them. The result is never logged."""
    own = {
        name: value
        for name, value in (function.environment or {}).items()
        if not name.startswith("_") and name not in RESERVED_ENVIRONMENT_KEYS
    }
    return {
        **_DEFAULTS,
        **launch.environment,
        **_logging(function),
        **own,
        **_reserved(function, log_stream, credentials, initialization_type, credentials_token),
    }


def extension_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the runtime's variables that an external extension gets."""
    return {name: value for name, value in variables.items() if name not in _RUNTIME_ONLY}


def template_variables(function: FunctionVersion, launch: LaunchSpec) -> dict[str, str]:
    """The variables of a prewarmed runtime for functions like this one: nothing of any function."""
    return {
        **_DEFAULTS,
        **launch.environment,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_RUNTIME_API": RUNTIME_API,
        "LAMBDA_TASK_ROOT": TASK_ROOT,
        "LAMBDA_RUNTIME_DIR": RUNTIME_DIR,
    }


def _logging(function: FunctionVersion) -> dict[str, str]:
    logging = function.logging
    if logging.log_format != "JSON":
        return {}
    variables = {"AWS_LAMBDA_LOG_FORMAT": logging.log_format}
    if logging.application_log_level is not None:
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging.application_log_level
    return variables


def _reserved(
    function: FunctionVersion,
    log_stream: str,
    credentials: Credentials,
    initialization_type: str,
    credentials_token: str,
) -> dict[str, str]:
    key = function.key
    variables = {
        "_HANDLER": function.handler or "",
        "AWS_REGION": key.region,
        "AWS_DEFAULT_REGION": key.region,
        "AWS_LAMBDA_FUNCTION_NAME": key.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization_type,
        "AWS_LAMBDA_RUNTIME_API": RUNTIME_API,
        "LAMBDA_TASK_ROOT": TASK_ROOT,
        "LAMBDA_RUNTIME_DIR": RUNTIME_DIR,
    }
    if initialization_type == SNAP_START:
        # Nothing of one environment is in a snapshot: credentials are fetched when they are needed.
        variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://{RUNTIME_API}{CREDENTIALS_PATH}"
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = credentials_token
    else:
        variables |= {
            "AWS_LAMBDA_LOG_GROUP_NAME": function.logging.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_SESSION_TOKEN": credentials.session_token,
        }
    if isinstance(function, DebuggedVersion):
        variables["_LAMBENT_DEBUG_PORT"] = str(function.debugger_port)
    if function.runtime is not None and not function.runtime.startswith("provided"):
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{function.runtime}"
    return variables
