"""AWS Step Functions."""

from typing import Any

from lambent.stacks.resources.bodies import fetch_object
from lambent.stacks.resources.conversion import as_text
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Call, Find, Name, Retag, Row, only, op


async def _fetch(call: Call, properties: Properties, _before: Properties | None) -> dict[str, Any]:
    """The definition from S3. Raises `ApiError`."""
    location = properties.get("DefinitionS3Location")
    if location is None:
        return {}
    return {"DefinitionString": (await fetch_object(call, location)).decode(errors="replace")}


def _substituted(properties: Properties, _step: Step) -> dict[str, Any]:
    """The definition is a text, with its substitutions made."""
    made = dict(properties)
    definition = properties.get("DefinitionString", properties.get("Definition"))
    if definition is None:
        return made
    text = as_text(definition)
    for name, value in (properties.get("DefinitionSubstitutions") or {}).items():
        text = text.replace(f"${{{name}}}", as_text(value))
    made["DefinitionString"] = text
    return made


STATE_MACHINE = Row(
    name="AWS::StepFunctions::StateMachine",
    service="stepfunctions",
    named=Name("StateMachineName", 80),
    renamed={
        "Definition": "",
        "DefinitionString": "definition",
        "StateMachineName": "name",
        "StateMachineType": "type",
    },
    create=op("CreateStateMachine"),
    is_idempotent=True,
    physical="arn:aws:states:{$region}:{$account}:stateMachine:{StateMachineName}",
    keys={"stateMachineArn": "{$id}"},
    read=only("DescribeStateMachine"),
    update=(op("UpdateStateMachine"),),
    delete=only("DeleteStateMachine"),
    fetch=_fetch,
    prepare=_substituted,
    uses=frozenset({"Definition", "DefinitionS3Location", "DefinitionSubstitutions"}),
    attributes={
        "Arn": "{.stateMachineArn}",
        "Name": "{.name}",
        "StateMachineRevisionId": "{.revisionId}",
    },
    tags="tags",
    retag=Retag("TagResource", "UntagResource", {"resourceArn": "{$id}"}),
)

STATE_MACHINE_VERSION = Row(
    name="AWS::StepFunctions::StateMachineVersion",
    service="stepfunctions",
    renamed={"StateMachineRevisionId": "revisionId"},
    create=op("PublishStateMachineVersion"),
    physical="{.stateMachineVersionArn}",
    delete=only("DeleteStateMachineVersion", stateMachineVersionArn="{$id}"),
    attributes={"Arn": "{$id}"},
)

STATE_MACHINE_ALIAS = Row(
    name="AWS::StepFunctions::StateMachineAlias",
    service="stepfunctions",
    named=Name("Name", 80),
    create=op("CreateStateMachineAlias"),
    # The version that it routes to is the state machine's ARN with a number.
    physical="{.stateMachineAliasArn}",
    find=Find(
        only("ListStateMachineAliases", stateMachineArn="{StateMachineArn}"),
        "stateMachineAliases",
        {"stateMachineAliasArn": "{StateMachineArn}:{Name}"},
    ),
    keys={"stateMachineAliasArn": "{$id}"},
    read=only("DescribeStateMachineAlias"),
    update=(op("UpdateStateMachineAlias"),),
    delete=only("DeleteStateMachineAlias"),
    uses=frozenset({"StateMachineArn"}),
    attributes={"Arn": "{.stateMachineAliasArn}"},
    defaults={"Description": ""},
)

ACTIVITY = Row(
    name="AWS::StepFunctions::Activity",
    service="stepfunctions",
    named=Name("Name", 80),
    create=op("CreateActivity"),
    is_idempotent=True,
    physical="arn:aws:states:{$region}:{$account}:activity:{Name}",
    keys={"activityArn": "{$id}"},
    read=only("DescribeActivity"),
    delete=only("DeleteActivity"),
    attributes={"Arn": "{.activityArn}"},
    tags="tags",
    retag=Retag("TagResource", "UntagResource", {"resourceArn": "{$id}"}),
)

ROWS = (STATE_MACHINE, STATE_MACHINE_VERSION, STATE_MACHINE_ALIAS, ACTIVITY)
