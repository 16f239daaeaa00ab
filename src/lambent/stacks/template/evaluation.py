"""A template with parameters: conditions, dependencies, properties, outputs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lambent.stacks.template import dynamic_references, functions
from lambent.stacks.template.circles import in_order
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.functions import NO_VALUE
from lambent.stacks.template.inputs import Inputs, Known
from lambent.stacks.template.language_extensions import LANGUAGE_EXTENSIONS, expand
from lambent.stacks.template.references import Reference, references
from lambent.stacks.template.rules import check_rules
from lambent.stacks.template.runs import TemplateRun
from lambent.stacks.template.sections import check_policy
from lambent.stacks.template.template import Resource, Template, parse_template
from lambent.stacks.template.values import UNKNOWN, Unknown

__all__ = ["Evaluation", "Inputs", "Known", "Value"]


class Value(NamedTuple):
    """An output, evaluated."""

    value: str | Unknown
    description: str | None
    export_name: str | None


class Evaluation:
    """A template with all of its inputs. Immutable; each call evaluates again."""

    template: Template
    """With the language extensions written out. Its document is the processed template."""

    def __init__(self, template: Template, inputs: Inputs) -> None:
        """Raises `TemplateError` if language extensions or conditions cannot be evaluated, a wanted
        resource refers to what is not wanted, or wanted resources depend on each other in a
        circle."""
        if LANGUAGE_EXTENSIONS in template.transforms:
            template = parse_template(expand(template.document, inputs), is_extended=True)
        self.template = template
        self.inputs = inputs
        self._functions = functions.EXTENDED if template.is_extended else functions.VALUES
        self._conditions = self._evaluate_conditions()
        self._wanted = {
            name: resource
            for name, resource in template.resources.items()
            if self._holds(resource.condition)
        }
        self._dependencies = {name: self._depends_on(name) for name in self._wanted}
        in_order(self._dependencies)
        for output in template.outputs.values():
            if self._holds(output.condition):
                self._referred([output.value, output.export_name], "Outputs")

    def conditions(self) -> Mapping[str, bool]:
        """Each condition, and whether it holds."""
        return self._conditions

    def wanted(self) -> Mapping[str, Resource]:
        """The resources whose condition holds, by logical id, in the order of the template."""
        return self._wanted

    def dependencies(self, logical_id: str) -> frozenset[str]:
        """The logical ids that must exist before a wanted resource: those that it refers to, apart
        from branches of Fn::If that are not taken, and DependsOn."""
        return self._dependencies[logical_id]

    def sources(self, logical_id: str) -> dict[str, list[Reference]]:
        """What each property of a wanted resource is computed from: parameters, resources and their
        attributes."""
        properties = self._wanted[logical_id].properties
        return {
            name: references(written, self._condition).names for name, written in properties.items()
        }

    def properties(self, logical_id: str, known: Mapping[str, Known]) -> dict[str, Any]:
        """The properties of a wanted resource. What depends on a resource that is not in `known` is
        `UNKNOWN`. Dynamic references stand as they are written; `resolved` replaces them."""
        return self._object(self._wanted[logical_id].properties, known)

    def resolved(self, value: Any) -> Any:
        """A value with its dynamic references replaced: for what is sent, never for what is
        stored. Raises `TemplateError` if the inputs lack one of them."""
        return dynamic_references.substitute(value, self.inputs.dynamic)

    def metadata(self, logical_id: str, known: Mapping[str, Known]) -> Any:
        """The metadata of a wanted resource; None if it has none."""
        return self._optional(self._wanted[logical_id].metadata, known)

    def creation_policy(self, logical_id: str, known: Mapping[str, Known]) -> Any:
        """The CreationPolicy of a wanted resource; None if it has none."""
        return self._optional(self._wanted[logical_id].creation_policy, known)

    def update_policy(self, logical_id: str, known: Mapping[str, Known]) -> Any:
        """The UpdatePolicy of a wanted resource; None if it has none."""
        return self._optional(self._wanted[logical_id].update_policy, known)

    def deletion_policy(self, logical_id: str) -> str:
        """`Delete` unless a wanted resource says something else."""
        return self._policy(logical_id, "DeletionPolicy", self._wanted[logical_id].deletion_policy)

    def update_replace_policy(self, logical_id: str) -> str:
        """`Delete` unless a wanted resource says something else."""
        written = self._wanted[logical_id].update_replace_policy
        return self._policy(logical_id, "UpdateReplacePolicy", written)

    def outputs(self, known: Mapping[str, Known]) -> dict[str, Value]:
        """The outputs whose condition holds."""
        made = {}
        run = self._run(known)
        for output in self.template.outputs.values():
            if not self._holds(output.condition):
                continue
            value = run.value(output.value)
            if value is not UNKNOWN:
                value = functions.text_of(
                    value,
                    "Template format error: The Value field of every Outputs member must evaluate"
                    " to a String.",
                )
            export = None if output.export_name is None else run.value(output.export_name)
            if not isinstance(export, str | None):
                raise TemplateError(
                    f"Template format error: Output {output.name} is malformed. The Name field of"
                    " every Export member must evaluate to a String."
                )
            made[output.name] = Value(value, output.description, export)
        return made

    def imported_names(self) -> frozenset[str]:
        """The names of the exports that wanted resources and outputs import."""
        names: set[str] = set()

        def exported(name: str) -> Any:
            names.add(name)
            return UNKNOWN

        for resource in self._wanted.values():
            self._run({}, exported).value([resource.properties, resource.metadata or {}])
        for output in self.template.outputs.values():
            if self._holds(output.condition):
                self._run({}, exported).value([output.value])
        return frozenset(names)

    def rules(self) -> None:
        """Check the rules. Raises `TemplateError` with the description of each assertion that
        fails."""
        check_rules(self.template, self.inputs)

    # -- how --

    def _evaluate_conditions(self) -> dict[str, bool]:
        made: dict[str, bool] = {}
        run = TemplateRun(
            {**self._functions, **functions.BOOLEANS, **functions.CONDITION},
            self.inputs,
            self.template.mappings,
            holds=lambda name: _look_up(made, name),
            resource=_no_resource,
            exported=_no_import,
        )
        conditions = self.template.conditions
        needed = {
            name: references(written, in_condition=True).conditions
            for name, written in conditions.items()
        }
        # One after the other, since a long chain would be deeper than Python's stack.
        for name in in_order(needed, "conditions"):
            if name in conditions:
                made[name] = run.truth(conditions[name])
        return made

    def _holds(self, condition: str | None) -> bool:
        return condition is None or self._condition(condition)

    def _condition(self, name: str) -> bool:
        return _look_up(self._conditions, name)

    def _depends_on(self, logical_id: str) -> frozenset[str]:
        resource = self._wanted[logical_id]
        referred = self._referred(
            [
                resource.properties,
                resource.metadata,
                resource.creation_policy,
                resource.update_policy,
            ],
            "Resources",
        )
        return frozenset((*referred, *(on for on in resource.depends_on if on in self._wanted)))

    def _referred(self, value: Any, block: str) -> frozenset[str]:
        """The resources that a value refers to. Raises `TemplateError` if one is not wanted."""
        found = references(value, self._condition)
        unresolved = [
            reference.name
            for reference in found.names
            if reference.name in self.template.resources and reference.name not in self._wanted
        ]
        if unresolved:
            raise TemplateError(
                "Template format error: Unresolved resource dependencies"
                f" [{', '.join(dict.fromkeys(unresolved))}] in the {block} block of the template"
            )
        return frozenset(
            reference.name for reference in found.names if reference.name in self._wanted
        )

    def _run(
        self, known: Mapping[str, Known], exported: Callable[[str], Any] | None = None
    ) -> TemplateRun:
        def resource(name: str, attribute: str | None) -> Any:
            return self._resource(name, attribute, known)

        return TemplateRun(
            self._functions,
            self.inputs,
            self.template.mappings,
            holds=self._condition,
            resource=resource,
            exported=exported or self._exported,
        )

    def _resource(self, name: str, attribute: str | None, known: Mapping[str, Known]) -> Any:
        if name not in self._wanted:
            raise TemplateError(
                f"Template format error: Unresolved resource dependencies [{name}] in the Resources"
                " block of the template"
            )
        if name not in known:
            return UNKNOWN
        if attribute is None:
            return known[name].ref
        return _attribute(self._wanted[name], attribute, known[name].attributes)

    def _exported(self, name: str) -> str:
        if name not in self.inputs.imports:
            raise TemplateError(f"No export named {name} found.")
        return self.inputs.imports[name]

    def _optional(self, raw: Any, known: Mapping[str, Known]) -> Any:
        if raw is None:
            return None
        value = self._run(known).value(raw)
        return None if value is NO_VALUE else value

    def _object(self, raw: Any, known: Mapping[str, Known]) -> dict[str, Any]:
        value = self._optional(raw, known)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise TemplateError("Template format error: Any Properties member must be an object.")
        return value

    def _policy(self, logical_id: str, name: str, written: Any) -> str:
        value = self._optional(written, {})
        if value is None:
            return "Delete"
        check_policy(logical_id, name, value)
        return str(value)


def _look_up(conditions: Mapping[str, bool], name: str) -> bool:
    if name not in conditions:
        raise TemplateError(f"Template error: unresolved condition dependency {name} in Fn::If")
    return conditions[name]


def _attribute(resource: Resource, name: str, attributes: Mapping[str, Any] | Unknown) -> Any:
    if isinstance(attributes, Unknown):
        return UNKNOWN
    if name in attributes:
        return attributes[name]
    value: Any = attributes
    for key in name.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise TemplateError(
                f"Requested attribute {name} does not exist in schema for {resource.type}"
            )
        value = value[key]
    return value


def _no_resource(name: str, attribute: str | None) -> Any:
    raise TemplateError(
        f"Template format error: Unresolved dependencies [{name}]. Cannot reference resources in"
        " the Conditions block of the template"
    )


def _no_import(name: str) -> Any:
    raise TemplateError("Template error: Cannot use Fn::ImportValue in Conditions.")
