"""How a prewarmed process becomes a function's process.

It waits at CONTROL_FD for the function's environment variables, a JSON object, to the end.

Works on Python 3.8 and later.
"""

import json
import os
import time

CONTROL_FD = 4


def wait():
    """Report that the process is ready; returns the environment of the function that it becomes."""
    os.write(CONTROL_FD, b"ready")
    environment = read()
    os.close(CONTROL_FD)
    return environment


def read():
    """Wait for the environment of a function; an empty one ends the process."""
    chunks = []
    while True:
        chunk = os.read(CONTROL_FD, 1 << 16)
        if not chunk:
            break
        chunks.append(chunk)
    if not chunks:
        os._exit(0)
    return json.loads(b"".join(chunks))


def become(environment):
    """Take over a function's variables and change to its code directory."""
    for name in [name for name in os.environ if name not in environment]:
        if name != "LC_CTYPE":  # Python has set it, as it would have for the function.
            del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
            if name == "TZ":
                time.tzset()
    os.chdir(environment["LAMBDA_TASK_ROOT"])
