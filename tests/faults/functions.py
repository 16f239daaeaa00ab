"""The functions that run on the machines. They say what they do over the network to a recorder, and
to the host by the names of their threads, which need no network."""

import textwrap

BUSY = "lbtest"
"""The name of a thread that serves an invocation begins so."""

_COMMON = """
import base64, json, os, socket, time, uuid

def say(**fields):
    address = os.environ["RECORDER"], 9000
    with socket.create_connection(address, timeout=5) as recorder:
        recorder.sendall(json.dumps(fields).encode() + b"\\n")
        if recorder.recv(3) != b"ok\\n":
            raise OSError("the recorder has not written it down")
"""

ECHO = "def handler(event, context): return event"
RECORD = _COMMON + textwrap.dedent("""
    def names_of(event):
        for record in event.get("Records", ()):
            if "kinesis" in record:
                yield base64.b64decode(record["kinesis"]["data"]).decode()
            else:
                yield record["body"]
        for records in event.get("records", {}).values():
            for record in records:
                yield base64.b64decode(record["value"]).decode()
        if "name" in event:
            yield event["name"]

    def handler(event, context):
        say(names=list(names_of(event)), request=context.aws_request_id)
        if event.get("fails"):
            raise ValueError("as asked")
""")
BUSY_FOR_A_WHILE = f"""
import time, uuid

def name(text):
    with open("/proc/self/comm", "w") as comm:
        comm.write(text)

def handler(event, context):
    name("{BUSY}" + uuid.uuid4().hex[:9])
    try:
        time.sleep(event["s"])
    finally:
        name("idle")
    return "done"
"""
