"""An HTTP API of pets. The event has payload version 2.0."""

import json

PETS = {"1": "Tom", "2": "Rex"}


def handler(event, context):
    """The function. `routeKey` says which route was called."""
    if event["routeKey"] == "GET /pets":
        return respond(200, PETS)
    name = PETS.get(event["pathParameters"]["id"])
    if name is None:
        return respond(404, {"message": "no such pet"})
    return respond(200, {"name": name})


def respond(status, document):
    """A response with a document."""
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(document)}
