"""The program of the translator's process: a template in, a template out.

The platform's interpreter runs it as a script; it imports nothing of the platform. Its argument is
the maximum of its memory in bytes. Stdin is a JSON document: `template`, `parameters`,
`region`. Stdout is another: `template`, or `errors`, a list of messages.

Templates are hostile, and the translator is not hardened. So the process runs no programs, writes
no files and opens no connections, its memory is limited, and it ends with its template.
"""

import importlib
import json
import os
import resource
import sys
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REFUSED = ("os.exec", "os.fork", "os.posix_spawn", "os.system", "subprocess.", "socket.")
_NOT_OFFERED = "Applications of the Serverless Application Repository are not offered."
_DEEP = 5_000
"""How deep Python may call: templates nest deeply, and the translator recurses."""


def main() -> None:
    memory_bytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.setrecursionlimit(_DEEP)
    # The pipe itself: what the translator prints is none of it.
    with os.fdopen(os.dup(1), "w") as output:
        sys.stdout = sys.stderr
        output.write(respond(sys.stdin.read()))


def respond(request: str) -> str:
    """The response to a request. Whatever the translator raises is an error of the template."""
    try:
        return json.dumps(translate(json.loads(request)))
    except MemoryError:
        errors = "The template needs too much memory."
    except RecursionError:
        errors = "The template is nested too deeply."
    except Exception as error:
        errors = f"A value has a form that cannot be translated ({type(error).__name__}: {error})."
    return json.dumps({"errors": [errors]})


def translate(request: dict[str, Any]) -> dict[str, Any]:
    """The template without serverless resources, or what is wrong with it."""
    os.environ["SAM_TRANSLATOR_TELEMETRY"] = "0"
    translator = importlib.import_module("samtranslator.translator.translator")
    parser = importlib.import_module("samtranslator.parser.parser")
    exceptions = importlib.import_module("samtranslator.model.exceptions")
    policies = importlib.import_module("samtranslator.internal.managed_policies")
    session = importlib.import_module("boto3").Session(region_name=request["region"])
    names = policies.get_bundled_managed_policy_map("aws")
    sys.addaudithook(_guard)
    resources = request["template"].get("Resources")
    if isinstance(resources, dict) and any(map(_is_of_repository, resources.values())):
        return {"errors": [_NOT_OFFERED]}
    translated = translator.Translator(names or {}, parser.Parser(), None, session)
    try:
        return {"template": translated.translate(request["template"], request["parameters"])}
    except exceptions.InvalidDocumentException as error:
        return {"errors": [error.message, *(cause.message for cause in error.causes)]}


def _is_of_repository(resource: Any) -> bool:
    """Whether the translator would need a connection for a resource."""
    if not isinstance(resource, dict) or resource.get("Type") != "AWS::Serverless::Application":
        return False
    properties = resource.get("Properties")
    return isinstance(properties, dict) and isinstance(properties.get("Location"), dict)


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    """See `sys.addaudithook`."""
    if event.startswith(_REFUSED) or (event == "open" and (arguments[2] or 0) & _WRITES):
        raise PermissionError(f"{event} is not allowed")


if __name__ == "__main__":
    main()
