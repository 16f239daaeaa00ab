"""Greets whom the event names."""


def handler(event, context):
    """The function. Returns what the caller gets."""
    name = event.get("name", "world")
    print("greeting", name)
    return {"greeting": f"Hello {name}"}
