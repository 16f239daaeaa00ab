"""`make run`: a platform with the example functions in it.

`lambent up` runs as a child; everything else uses the public API, as a user would. The terminal's
Ctrl-C reaches the child, too: it stops, and this process waits for it and ends with its exit code.
`make` must not get the signal, or it would report an error; so on a terminal this process becomes
a separate process group in the foreground.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from lambent.cli.bucket import open_bucket
from lambent.cli.client import open_client
from lambent.cli.deploy import deploy, find_function
from lambent.cli.function_file import FUNCTION_FILE, FunctionFile, complete, read_function_file
from lambent.cli.invoke import InvokeResult, describe_failure, invoke
from lambent.cli.output import CliError, print_error

_LAST_WORDS_S = 5
_READY = re.compile(r"ready at (http://\S+)")
_ADVICE = """\
Copy one of these into another terminal:
  aws --endpoint-url {endpoint} --region us-east-1 lambda list-functions
  python3 -c "import boto3; print(boto3.client('lambda', endpoint_url='{endpoint}',\
 region_name='us-east-1').invoke(FunctionName='{name}')['Payload'].read())"
  lambent invoke {name} --endpoint-url {endpoint}
The first two need credentials, and any will do:
  export AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=any
Ctrl-C stops the platform.
"""


def main(arguments: Sequence[str]) -> int:
    """Run until the platform ends; returns its exit code. `arguments`: examples, flags of `up`."""
    examples, *flags = arguments
    with _foreground():
        command = [sys.executable, "-m", "lambent", "up", *flags]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as platform:
            assert platform.stdout is not None
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, _: _pass_on(platform, number))
            endpoint = _wait_ready(platform.stdout)
            # Keep reading: the platform must not block on a full pipe.
            reader = threading.Thread(target=_copy, args=[platform.stdout], daemon=True)
            reader.start()
            if endpoint is not None and platform.poll() is None:
                _show(Path(examples), endpoint)
            code = platform.wait()
            # Not without limit: a child of the platform that does not end holds the pipe open.
            reader.join(_LAST_WORDS_S)
    return code


def _pass_on(platform: subprocess.Popen[str], number: int) -> None:
    # On a terminal it has the signal already, and a second one cuts off requests in progress.
    if platform.poll() is None and (number != signal.SIGINT or not sys.stdin.isatty()):
        platform.send_signal(number)


def _wait_ready(lines: IO[str]) -> str | None:
    """The endpoint, or None if the platform ended without getting ready."""
    for line in lines:
        print(line, end="", flush=True)
        if found := _READY.search(line):
            return found[1]
    return None


def _copy(lines: IO[str]) -> None:
    for line in lines:
        print(line, end="", flush=True)


def _show(examples: Path, endpoint: str) -> None:
    """Deploy missing examples and call the last one. A failure does not end the platform."""
    deployed: FunctionFile | None = None
    for directory in sorted(path.parent for path in examples.glob(f"*/{FUNCTION_FILE}")):
        try:
            wanted = complete(read_function_file(directory), directory)
            with open_client("lambda", endpoint) as client:
                _deploy_if_missing(client, endpoint, directory, wanted)
            deployed = wanted
        except CliError as error:
            print_error(f"{directory.name}: {error}")
    if deployed is None:
        return
    try:
        with open_client("lambda", endpoint) as client:
            _call(client, deployed)
    except CliError as error:
        print_error(str(error))
    print("\n" + _ADVICE.format(endpoint=endpoint, name=deployed.name), flush=True)


def _deploy_if_missing(client: Any, endpoint: str, directory: Path, wanted: FunctionFile) -> None:
    assert wanted.name is not None
    if find_function(client, wanted.name) is None:
        deploy(client, partial(open_bucket, endpoint), directory, wanted, lambda _: None)
        print(f"deployed {wanted.name} from {directory}", flush=True)


def _call(client: Any, wanted: FunctionFile) -> None:
    assert wanted.name is not None
    event = json.dumps({} if wanted.event is None else wanted.event)
    answer: InvokeResult = invoke(client, wanted.name, event.encode())
    print(f"\nlambent invoke {wanted.name} -d '{event}'", flush=True)
    print(answer.payload.decode(errors="replace"), flush=True)
    if answer.function_error:
        print_error(describe_failure(wanted.name, answer))


@contextlib.contextmanager
def _foreground() -> Iterator[None]:
    """Become the terminal's foreground process group, if this process was in it."""
    if not sys.stdin.isatty() or os.tcgetpgrp(0) != os.getpgrp() or os.getpid() == os.getsid(0):
        yield
        return
    before = os.tcgetpgrp(0)
    os.setpgid(0, 0)
    _hand_terminal_to(os.getpgrp())
    try:
        yield
    finally:
        _hand_terminal_to(before)


def _hand_terminal_to(group: int) -> None:
    # A background group that changes the terminal is stopped by SIGTTOU unless it ignores that.
    old = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, group)
    signal.signal(signal.SIGTTOU, old)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
