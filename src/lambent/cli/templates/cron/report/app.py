"""Makes a report on every working day."""


def handler(event, context):
    """The function. The event is the `input` of the schedule."""
    print("making the", event["kind"], "report")
    return {"made": event["kind"]}
