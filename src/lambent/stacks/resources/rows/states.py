"""AWS Step Functions."""

from typing import Any

from lambent.stacks.resources.bodies import fetch_object
from lambent.stacks.resources.conversion import as_text
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Call, Name, Retag, Row, only, op


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

ROWS = (STATE_MACHINE,)
