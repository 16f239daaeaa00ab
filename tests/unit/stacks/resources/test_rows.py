"""Every row names operations, members and paths that exist in AWS's models and schemas."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.gateway.models import Shape, load_model
from lambent.model.stack_documents import TOKEN_TAG
from lambent.stacks.resources.conversion import member_of
from lambent.stacks.resources.expressions import at, placeholders
from lambent.stacks.resources.facts import facts_of, input_of
from lambent.stacks.resources.operations import named_operations, reads, removals, writes
from lambent.stacks.resources.registry import ROWS, STORED_ONLY
from lambent.stacks.resources.row_type import WHOLE, Op, Row
from lambent.stacks.resources.schema import taken

EACH = pytest.mark.parametrize(
    "row", [pytest.param(row, id=name) for name, row in ROWS.items() if not row.is_stored]
)
NOT_SHOWN = {
    "AWS::Events::Connection": {"SecretArn"},
    "AWS::IAM::ManagedPolicy": {"CreateDate", "PermissionsBoundaryUsageCount", "UpdateDate"},
    "AWS::Kinesis::Stream": {"WarmThroughputObject"},
    "AWS::Kinesis::StreamConsumer": {"ConsumerCreationTimestamp"},
    "AWS::Pipes::Pipe": {"CreationTime", "LastModifiedTime"},
    "AWS::Lambda::Function": {"SnapStartResponse"},
    "AWS::Scheduler::ScheduleGroup": {"CreationDate", "LastModificationDate"},
}
"""Attributes that are not offered."""
MADE_UP = {
    "AWS::ApiGateway::Method": {"IntegrationResponses"},
    "AWS::ApiGateway::RestApi": {"FirstName"},
    "AWS::ApiGatewayV2::Api": {"FirstName"},
    "AWS::Cognito::UserPool": {"SecondFactors"},
    "AWS::DynamoDB::GlobalTable": {
        *("DeletionProtectionEnabled", "KinesisStreamSpecification", "ProvisionedThroughput"),
        *("PointInTimeRecoverySpecification", "TableClass", "Tags"),
    },
    "AWS::S3::Bucket": {"Location", "TagSet"},
    "AWS::SNS::Subscription": {"AttributeList"},
    "AWS::SNS::Topic": {"AttributeList"},
    "AWS::XRay::SamplingRule": {"Update"},
}
"""Properties that a row's `prepare` makes."""


def output_of(row: Row, op: Op) -> Shape | None:
    return load_model(row.service).operation_model(op.name).output_shape


def at_path(shape: Shape | None, path: str) -> Shape | None:
    """The shape of what a response has at a path; None if it cannot have anything there."""
    for name in path.split(".") if path else ():
        if shape is None:
            return None
        if shape.type_name == "structure":
            shape = shape.members.get(name)
        elif shape.type_name == "map":
            shape = shape.value
        elif shape.type_name == "list" and name.isdigit():
            shape = shape.member
        else:
            return None
    return shape


def paths_in(template: Any) -> Iterator[str]:
    """The paths in a response that a template uses."""
    return (name[1:].partition(":")[0] for name in placeholders(template) if name[0] == ".")


def properties_in(template: Any) -> set[str]:
    return {
        name.partition(".")[0].partition(":")[0]
        for name in placeholders(template)
        if name[0] not in ".@*$"
    }


@pytest.mark.slow
def test_the_files_are_current() -> None:
    """What the rows need of AWS's models and schemas is in the package, and nothing else."""
    tool = runpy.run_path(str(Path(__file__).parents[4] / "tools" / "resource_facts.py"))
    shapes = tool["shapes"]()
    for service, operations in shapes.items():
        for name, shape in operations.items():
            assert input_of(service, name) == shape
    for name, schema in tool["schemas"]().items():
        expected = {key: tuple(value) for key, value in tool["facts"](schema).items()}
        assert {key: value for key, value in facts_of(name)._asdict().items() if value} == expected


@EACH
def test_operations_and_their_members(row: Row) -> None:
    """Exist; a key is a member of an operation that uses it."""
    model = load_model(row.service)
    known = set()
    for op in (*writes(row), *reads(row), *removals(row)):
        shape = model.operation_model(op.name).input_shape
        members = set(shape.members) if shape is not None else set()
        for name in op.members:
            assert name == WHOLE or at_path(shape, name) is not None, f"{op.name}: {name}"
        if op is not row.create:
            known |= members
    assert set(row.keys) <= known
    assert named_operations(row) <= set(model.operation_names)


@EACH
def test_what_an_operation_requires_is_given(row: Row) -> None:
    """By a property, by the row, or by a key."""
    model = load_model(row.service)
    properties = {row.renamed.get(name, name) for name in facts_of(row.name).properties}
    for op in (*writes(row), *reads(row), *removals(row)):
        shape = model.operation_model(op.name).input_shape
        for member in shape.required_members if shape is not None else ():
            assert (
                member in op.members
                or WHOLE in op.members
                or (op is not row.create and member in row.keys)
                or (row.bag is not None and member == row.bag.member and op.copies)
                or (op.copies and any(member_of({member: "s"}, name) for name in properties))
            ), f"{op.name}: {member}"


@EACH
def test_responses_have_what_is_read_of_them(row: Row) -> None:
    """The physical id, attributes, and what a resource is found by. No model has the hidden member
    with the token."""
    created = output_of(row, row.create) if row.create is not None else None
    for path in paths_in([row.physical, dict(row.created)]):
        assert at_path(created, path) is not None, path
    seen = output_of(row, row.read) if row.read is not None else created
    for path in (*paths_in(dict(row.attributes)), *paths_in(row.ref)):
        assert at_path(seen, path) is not None, path
    if row.wait is not None:
        assert row.read is not None
        for path in (*row.wait.ready, *filter(None, [row.wait.reason])):
            assert at_path(seen, path) is not None, path
    if row.existing is not None:
        listed = at_path(output_of(row, row.existing.list), row.existing.items)
        assert at_path(listed and listed.member, row.existing.path) is not None
    if row.find is not None:
        found = output_of(row, row.find.list)
        listed = at_path(found, row.find.items)
        assert listed is not None
        item = listed.member if row.find.items else listed
        for path in (*row.find.match, *paths_in(row.find.physical or row.physical)):
            assert path == TOKEN_TAG or at_path(item, path) is not None, path


@EACH
def test_properties_and_attributes(row: Row) -> None:
    """Those that a row names exist, those that are required have an effect, and what the schema
    says can be read is read."""
    facts = facts_of(row.name)
    templates = [row.physical, dict(row.keys), dict(row.attributes), dict(row.created)]
    templates += [dict(op.members) for op in (*writes(row), *reads(row), *removals(row))]
    named = properties_in(templates) | set(row.defaults) | set(row.renamed) | row.uses
    named |= row.stored_only | {name for part in row.parts for name in (*part.of, *part.with_)}
    assert named - MADE_UP.get(row.name, set()) <= set(facts.properties)
    assert set(facts.required) <= taken(row) | row.stored_only
    outer = {name for name in facts.read_only if "/" not in name}
    shown = set(row.attributes) | set(row.created)
    assert outer - NOT_SHOWN.get(row.name, set()) <= shown


def test_types_that_are_only_stored() -> None:
    """Have all attributes of their schemas, and call nothing."""
    assert STORED_ONLY
    for row in (ROWS[name] for name in STORED_ONLY):
        assert set(row.attributes) >= set(facts_of(row.name).read_only) - {"Id"}
        assert not list((*writes(row), *reads(row), *removals(row)))


@EACH
def test_tags(row: Row) -> None:
    """Are members of what makes the resource and of what changes them; a resource that is marked
    is found by its mark."""
    if row.tags:
        assert row.create is not None
        assert at(input_of(row.service, row.create.name), row.tags) is not None
        known = {*facts_of(row.name).properties, *MADE_UP.get(row.name, ())}
        assert row.tags_property in known
    if row.retag is not None:
        assert row.tags
        tag, untag = (input_of(row.service, name) for name in row.retag[:2])
        assert set(row.retag.resource) <= set(tag) & set(untag)
        assert {name.lower() for name in tag} & {"tags"}
        assert {name.lower() for name in untag} & {"tagkeys", "keys"}
    if row.is_marked:
        assert row.find is not None
        assert any(path.endswith(TOKEN_TAG) for path in row.find.match)
