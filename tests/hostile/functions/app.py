"""What every hostile function is made of; the event names what to do."""

import importlib
import os


def handler(event, context):
    """Do it; the answer also tells which box this is, so that the host finds it."""
    module, _, name = event.pop("do").partition(".")
    result = getattr(importlib.import_module(module), name)(**event)
    return {"box": os.readlink("/proc/self/ns/pid"), "result": result}
