"""Values that many tests need and few inspect."""

from typing import Any

from lambent.model.arn import AccountId, Region
from lambent.model.function import LATEST, FunctionKey, FunctionVersion, LoggingConfiguration


def function_version(name: str = "f", **fields: Any) -> FunctionVersion:
    """A deployed `$LATEST` in Python, with other values for some fields."""
    plain: dict[str, Any] = {
        "key": FunctionKey(AccountId("000000000000"), Region("us-east-1"), name),
        "version": LATEST,
        "role": "arn:aws:iam::000000000000:role/r",
        "runtime": "python3.12",
        "handler": "app.handler",
        "logging": LoggingConfiguration(log_group=f"/aws/lambda/{name}"),
        "code_key": "0" * 64,
        "code_size": 1,
        "configuration_id": "c",
        "revision_id": "r",
        "last_modified_ms": 0,
    }
    return FunctionVersion(**{**plain, **fields})
