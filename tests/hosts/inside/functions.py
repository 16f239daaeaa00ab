"""Functions that the checks deploy."""

PYTHON = """
import os, threading, time
ticks = 0
def tick():
    global ticks
    while True:
        time.sleep(0.01)
        ticks += 1
threading.Thread(target=tick, daemon=True).start()

def handler(event, context):
    global ticks
    what = event.get("do") if isinstance(event, dict) else None
    if what == "eat":
        held = []
        while True:
            held.append(bytearray(os.urandom(4096)) * 1024)
    if what == "sleep":
        time.sleep(event["seconds"])
    if what == "ticks":
        return ticks
    if what == "look":
        try:
            return [os.getuid(), open(event["at"]).read()]
        except OSError as error:
            return [os.getuid(), type(error).__name__]
    return {"python": event}
"""
NODE = "exports.handler = async (event) => ({node: event});"
PROVIDED = r"""#!/bin/bash
set -euo pipefail
request() {
  exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
  printf '%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: x\r\n' "$1" "$2" >&3
  printf 'Connection: close\r\nContent-Length: %d\r\n\r\n%s' "${#3}" "$3" >&3
  cat <&3
  exec 3>&-
}
while true
do
  answer=$(request GET invocation/next "")
  id=$(printf '%s' "$answer" | tr -d '\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
  request POST "invocation/$id/response" '{"provided": "shell"}' >/dev/null
done
"""
SNAPPED = """
import uuid
unique = str(uuid.uuid4())
def handler(event, context):
    import os
    return [unique, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""
