"""Works on the messages of a queue. A message whose work fails is delivered again."""

import json


def handler(event, context):
    """The function. The event has up to ten messages."""
    for record in event["Records"]:
        work(json.loads(record["body"]))


def work(job):
    """Do one job; an exception keeps its messages in the queue."""
    print("worked on", job["id"])
