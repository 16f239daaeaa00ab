"""Versions come back from their stored documents as they were, those of earlier releases too."""

import dataclasses
import json

from lambent.model.function import (
    AttachedLayer,
    FunctionKey,
    FunctionVersion,
    SnapStart,
)
from lambent.model.function_documents import fields_of, to_document
from tests.factories import function_version

KEY = FunctionKey("111111111111", "us-east-1", "f")
LAYER = "arn:aws:lambda:us-east-1:111111111111:layer:l:1"
PLAIN = function_version(key=KEY, version="1")
FULL = dataclasses.replace(
    PLAIN,
    snap_start=SnapStart("PublishedVersions", "On"),
    layers=(AttachedLayer(LAYER, 7, "1" * 64),),
    dead_letter_target="arn:aws:sqs:us-east-1:111111111111:q",
    tenant_isolation="PER_TENANT",
    other={"TracingConfig": {"Mode": "Active"}},
)


def read(document: object) -> FunctionVersion:
    """As from the database, where documents are JSON."""
    return FunctionVersion(key=KEY, version="1", **fields_of(json.loads(json.dumps(document))))


def test_a_version_comes_back_as_it_was() -> None:
    """With everything that can be set, and with nothing."""
    assert read(to_document(PLAIN)) == PLAIN
    assert read(to_document(FULL)) == FULL


def test_the_stored_form_is_that_of_earlier_releases() -> None:
    """Their data directories are read, and versions that did not change keep their fingerprint."""
    document = to_document(FULL)
    assert document["layer_keys"] == ["1" * 64]
    assert document["other"] == {
        "TracingConfig": {"Mode": "Active"},
        "SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"},
        "Layers": [{"Arn": LAYER, "CodeSize": 7}],
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:111111111111:q"},
        "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
    }
    assert {"key", "version", "layers", "snap_start"}.isdisjoint(document)


def test_a_document_without_any_of_it() -> None:
    """One that was written before there were layers and SnapStart."""
    document = to_document(PLAIN)
    del document["layer_keys"], document["other"]
    assert read(document) == PLAIN
