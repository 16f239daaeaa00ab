"""Greets whom the event names."""

import logging
import platform

logger = logging.getLogger()
logger.setLevel("INFO")


def handler(event, context):
    name = event.get("name", "world")
    logger.info("greeting %s", name)
    return {
        "message": f"Hello, {name}!",
        "python": platform.python_version(),
        "requestId": context.aws_request_id,
    }
