"""What every hostile function is made of; the event names what to do."""

import importlib
import os


def do(attack, **arguments):
    module, _, name = attack.partition(".")
    return getattr(importlib.import_module(module), name)(**arguments)


if "AT_INIT" in os.environ:
    do(os.environ["AT_INIT"])


def handler(event, context):
    """Do it; the answer also tells which box this is, so that the host finds it."""
    result = do(event.pop("do"), **event)
    return {"box": os.readlink("/proc/self/ns/pid"), "result": result}
