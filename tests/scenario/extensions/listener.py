#!/usr/bin/env python3
"""An extension that subscribes to telemetry and writes the records to /tmp/told."""

import json
import os
import socketserver
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BASE = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}"
NAME = os.path.basename(__file__)
SUBSCRIPTION = json.loads(os.environ["EXTENSION_SUBSCRIPTION"])


def keep(batch):
    with open("/tmp/told", "a") as file:
        for event in batch:
            file.write(json.dumps(event) + "\n")


class Posted(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        keep(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST

    def log_message(self, *_):
        pass


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            keep([json.loads(line)])


def call(path, body=None, headers=(), method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, dict(headers), method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


is_tcp = SUBSCRIPTION["destination"]["protocol"] == "TCP"
server = (
    socketserver.ThreadingTCPServer(("0.0.0.0", 8080), Lines)
    if is_tcp
    else ThreadingHTTPServer(("0.0.0.0", 8080), Posted)
)
threading.Thread(target=server.serve_forever, daemon=True).start()

_, headers, _ = call(
    "/2020-01-01/extension/register",
    {"events": ["INVOKE", "SHUTDOWN"]},
    {"Lambda-Extension-Name": NAME},
)
identity = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
path = os.environ.get("EXTENSION_API", "/2022-07-01/telemetry")
status, _, body = call(path, SUBSCRIPTION, identity, "PUT")
print(NAME, "subscribed", status, body, flush=True)
while True:
    _, _, body = call("/2020-01-01/extension/event/next", headers=identity)
    if json.loads(body)["eventType"] == "SHUTDOWN":
        if is_tcp:
            threading.Event().wait(0.5)  # It is unknown when the last line has been read.
        with open("/tmp/told") as told:
            for line in told:
                print("told", line.rstrip())
        print(NAME, "is done", flush=True)
        break
