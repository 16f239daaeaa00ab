"""The service models, as botocore ships them: the contract of everything on the wire.

This is the only module that loads them. What the other modules of this package need of an
operation is its `OperationModel`.
"""

import functools
from collections.abc import Sequence
from typing import Any

import botocore.loaders
from botocore.model import OperationModel, ServiceModel, Shape

__all__ = ["OperationModel", "ServiceModel", "Shape", "load_model", "runtime_identifiers"]


@functools.cache
def load_model(service: str) -> ServiceModel:
    """The newest model of a service (`lambda`, `logs`, `sts`)."""
    description = botocore.loaders.Loader().load_service_model(service, "service-2")
    return ServiceModel(description, service)


def runtime_identifiers() -> Sequence[str]:
    """Every runtime identifier of the Lambda model, in its order."""
    identifiers: Any = load_model("lambda").shape_for("Runtime").enum
    return tuple(identifiers)
