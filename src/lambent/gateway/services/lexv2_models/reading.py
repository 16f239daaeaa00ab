"""Reads what is imported as if a client had sent it."""

from lambent.gateway.call import Members
from lambent.gateway.models import load_model
from lambent.gateway.protocols.values import from_document, scalar_from_json
from lambent.gateway.validation import validate


def read_input(operation: str, document: Members) -> Members:
    """A document as the input of an operation. Raises `ApiError` if it is none."""
    model = load_model("lexv2-models").operation_model(operation)
    params: Members = from_document(model.input_shape, document, "", scalar_from_json)
    validate(model, params)
    return params
