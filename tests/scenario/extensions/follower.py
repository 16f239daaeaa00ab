#!/usr/bin/env python3
"""An extension that prints the events it receives. The environment says what it does and when."""

import json
import os
import sys
import time
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension"
NAME = os.path.basename(__file__)
EVENTS = os.environ.get("EXTENSION_EVENTS", "INVOKE,SHUTDOWN").split(",")


def call(path, body=None, headers=()):
    request = urllib.request.Request(
        f"{API}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers=dict(headers),
    )
    with urllib.request.urlopen(request) as answer:
        return dict(answer.headers), json.load(answer)


def say(*words):
    print(NAME, *words, flush=True)


def misbehave(moment):
    """`EXTENSION_BEHAVIOUR` is a list of `moment:deed`."""
    for rule in os.environ.get("EXTENSION_BEHAVIOUR", "").split(","):
        when, _, deed = rule.partition(":")
        if when == moment:
            if deed == "hang":
                time.sleep(1000)  # noqa: TID251 - not the platform's time
            elif deed.endswith("/error"):
                headers = {"Lambda-Extension-Function-Error-Type": "Extension.MyReason"}
                call(deed, {}, {**identity, **headers})
                sys.exit(1)
            elif deed.startswith("sleep"):
                time.sleep(float(deed[5:]))  # noqa: TID251 - not the platform's time
            else:
                sys.exit(int(deed[4:]))


identity = {}
misbehave("start")
headers, answer = call(
    "register",
    {"events": EVENTS},
    {"Lambda-Extension-Name": NAME, "Lambda-Extension-Accept-Feature": "accountId"},
)
identity = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
say("registered", json.dumps(answer))
say("has handler", "_HANDLER" in os.environ, "has mode", "TEST_MODE" in os.environ)
misbehave("registered")
while True:
    headers, event = call("event/next", headers=identity)
    say(event["eventType"], json.dumps(event))
    misbehave(event["eventType"])
    if event["eventType"] == "SHUTDOWN":
        say("bye")
        break
