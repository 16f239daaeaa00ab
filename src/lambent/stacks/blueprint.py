"""Templates as the engine and plans need them."""

import graphlib
from collections.abc import Mapping, Sequence, Set
from typing import Any

from lambent.kit import strict_json
from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.stacks.plan import Wanted
from lambent.stacks.records import Deployment, Stack, State
from lambent.stacks.template.evaluation import Evaluation
from lambent.stacks.template.inputs import Inputs, Known
from lambent.stacks.template.parameters import Parameters, resolve_parameters
from lambent.stacks.template.reading import read_template
from lambent.stacks.template.template import Template, parse_template
from lambent.stacks.template.values import UNKNOWN


class TemplateBlueprint:
    """See `engine/ports.py: Blueprint`."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        wanted = evaluation.wanted()
        order = graphlib.TopologicalSorter({id: evaluation.dependencies(id) for id in wanted})
        self.types = {id: wanted[id].type for id in order.static_order()}
        self.description = evaluation.template.description or ""

    @property
    def parameters(self) -> Set[str]:
        """Names of the template's parameters."""
        return self._evaluation.template.parameters.keys()

    def imports(self) -> Set[str]:
        return self._evaluation.imported_names()

    def dependencies(self, logical_id: str) -> Set[str]:
        return self._evaluation.dependencies(logical_id)

    def resource(self, logical_id: str, known: Mapping[str, State]) -> Wanted:
        evaluation, values = self._evaluation, _known(known)
        resource = evaluation.wanted()[logical_id]
        return Wanted(
            type=resource.type,
            properties=evaluation.properties(logical_id, values),
            expressions=resource.properties if isinstance(resource.properties, dict) else {},
            depends_on=sorted(evaluation.dependencies(logical_id)),
            metadata=evaluation.metadata(logical_id, values),
            creation_policy=evaluation.creation_policy(logical_id, values),
            update_policy=evaluation.update_policy(logical_id, values),
            deletion_policy=evaluation.deletion_policy(logical_id),
            replace_policy=evaluation.update_replace_policy(logical_id),
        )

    def outputs(self, known: Mapping[str, State]) -> Sequence[Mapping[str, Any]]:
        shown = []
        for key, output in self._evaluation.outputs(_known(known)).items():
            value = "" if output.value is UNKNOWN else output.value
            members = {"OutputKey": key, "OutputValue": value}
            if output.description is not None:
                members["Description"] = output.description
            if output.export_name is not None:
                members["ExportName"] = output.export_name
            shown.append(members)
        return shown


def read(text: str) -> Template:
    """The template of a text. Raises `TemplateError`."""
    return parse_template(read_template(text))


async def read_large(text: str) -> Template:
    """As `read`, without blocking the event loop."""
    return read(text) if len(text) <= LOOP_BYTES_MAX else await computed(read, text)


def inputs_of(
    stack: Stack,
    parameters: Parameters,
    looked_up: Mapping[str, str],
    notification_arns: Sequence[str],
    exports: Mapping[str, str],
) -> Inputs:
    """What a stack's template is evaluated with. Raises `TemplateError`."""
    return Inputs(
        account=stack.account,
        region=stack.region,
        stack_name=stack.name,
        stack_id=stack.arn,
        parameters=parameters.values(looked_up),
        notification_arns=list(notification_arns),
        imports=exports,
        zones=[f"{stack.region}{letter}" for letter in "abc"],
    )


async def make_blueprint(
    stack: Stack, deployment: Deployment, exports: Mapping[str, str]
) -> TemplateBlueprint:
    """See `engine/ports.py: MakeBlueprint`."""

    def make() -> TemplateBlueprint:
        if deployment.processed:
            document = strict_json.parse_loosely(deployment.processed)
            template = parse_template(document, is_extended=deployment.is_extended)
        else:
            template = read(deployment.template)
        parameters = resolve_parameters(template, deployment.parameters, None)
        looked_up, arns = deployment.looked_up, deployment.notification_arns
        return TemplateBlueprint(
            Evaluation(template, inputs_of(stack, parameters, looked_up, arns, exports))
        )

    return await computed(make)


def _known(states: Mapping[str, State]) -> Mapping[str, Known]:
    return {
        id: Known(state.ref if state.ref is not None else state.physical_id, state.attributes)
        for id, state in states.items()
    }
