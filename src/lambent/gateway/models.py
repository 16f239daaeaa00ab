"""The service models, as botocore ships them: the contract of everything on the wire.

This is the only module that loads them. The others take a service's `ServiceModel` or an
operation's `OperationModel`.
"""

import functools
from collections.abc import Sequence
from typing import Any

import botocore.loaders
from botocore.model import OperationModel, ServiceModel, Shape

__all__ = ["OperationModel", "ServiceModel", "Shape", "load_model", "runtime_identifiers"]

_STATUS = {"lambda": {"DeleteFunction": 204}}
"""Where AWS returns another status than its own model says, by service and operation."""


@functools.cache
def load_model(service: str) -> ServiceModel:
    """The newest model of a service, by botocore's name for it (`lambda`, `logs`, `cloudwatch`)."""
    # `Loader.load_service_model` would first look for the models of all services.
    loader = botocore.loaders.Loader()
    version = loader.determine_latest_version(service, "service-2")
    description = loader.load_data(f"{service}/{version}/service-2")
    for operation, status in _STATUS.get(service, {}).items():
        description["operations"][operation]["http"]["responseCode"] = status
    return ServiceModel(description, service)


def runtime_identifiers() -> Sequence[str]:
    """Every runtime identifier of the Lambda model, in its order."""
    identifiers: Any = load_model("lambda").shape_for("Runtime").enum
    return tuple(identifiers)
