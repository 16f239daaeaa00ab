"""A template as values, and all that can be checked without parameters."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lambent.stacks.template import sections
from lambent.stacks.template.circles import in_order
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.language_extensions import LANGUAGE_EXTENSIONS
from lambent.stacks.template.macro_calls import FUNCTION, called_in
from lambent.stacks.template.parts import Assertion, Mappings, Output, Parameter, Resource, Rule
from lambent.stacks.template.references import (
    PSEUDO_PARAMETERS,
    Reference,
    References,
    references,
)
from lambent.stacks.template.shape import Document, check_document

__all__ = [
    "LANGUAGE_EXTENSIONS",
    "Assertion",
    "Mappings",
    "Output",
    "Parameter",
    "Resource",
    "Rule",
    "Template",
    "parse_template",
]

RESOURCES_MAX = 500
OTHERS_MAX = 200
"""Parameters, and the same of outputs."""
_SECTIONS = frozenset({
    "AWSTemplateFormatVersion", "Conditions", "Description", "Mappings", "Metadata", "Outputs",
    "Parameters", "Resources", "Rules", "Transform",
})  # fmt: skip
_OF_MACROS = frozenset({"Globals"})
"""A section that macros take away."""
SERVERLESS: Final = "AWS::Serverless-2016-10-31"
_TRANSLATED: Final = frozenset({SERVERLESS, LANGUAGE_EXTENSIONS})
"""Transforms that leave the form of sections as it is. A macro may make any template of anything:
only parameters can be read before it."""
_DESCRIPTION_BYTES_MAX = 1_024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template. What depends on parameters is not evaluated."""

    document: Document
    """Must not be changed."""
    description: str | None
    metadata: Any
    parameters: Mapping[str, Parameter]
    mappings: Mappings
    conditions: Mapping[str, Any]
    resources: Mapping[str, Resource]
    outputs: Mapping[str, Output]
    rules: Mapping[str, Rule]
    transforms: tuple[str, ...]
    """Names of macros: those of the Transform section, then those that Fn::Transform calls."""
    is_extended: bool
    """Whether the functions of the language extensions may be used."""


def parse_template(document: Any, *, is_extended: bool = False) -> Template:
    """The template that a document says. `is_extended` is for documents in which the language
    extensions are written out already. Raises `TemplateError`, as ValidateTemplate does. Resources
    and references of a template with transforms are checked when it is transformed; with macros all
    but the parameters."""
    check_document(document)
    transforms = called_in(document)
    is_opaque = not _TRANSLATED.issuperset(transforms)
    _check_sections(document, is_opaque=is_opaque)
    looped = LANGUAGE_EXTENSIONS in transforms
    written = {} if is_opaque else document
    read_resource = functools.partial(sections.resource, lenient=SERVERLESS in transforms)
    template = Template(
        document=document,
        description=_description(document.get("Description")),
        metadata=document.get("Metadata"),
        parameters=sections.section(
            document.get("Parameters", {}), "Parameter", sections.parameter, most=OTHERS_MAX
        ),
        mappings=sections.mappings(written.get("Mappings", {})),
        conditions=sections.section(
            written.get("Conditions", {}), "Condition", _as_is, most=RESOURCES_MAX, looped=looped
        ),
        resources=sections.section(
            written.get("Resources", {}),
            "Resource",
            read_resource,
            most=RESOURCES_MAX,
            looped=looped,
        ),
        outputs=sections.section(
            written.get("Outputs", {}), "Output", sections.output, most=OTHERS_MAX, looped=looped
        ),
        rules=sections.section(written.get("Rules", {}), "Rule", sections.rule, most=OTHERS_MAX),
        transforms=transforms,
        is_extended=is_extended or looped,
    )
    if not transforms:  # macros and loops may add what is referred to
        _check_references(template)
    return template


def _check_sections(document: Document, *, is_opaque: bool) -> None:
    known = _SECTIONS | _OF_MACROS if "Transform" in document else _SECTIONS
    unknown = [name for name in document if name not in known and name != FUNCTION]
    if unknown and not is_opaque:
        raise TemplateError(f"Invalid template property or properties [{', '.join(unknown)}]")
    version = document.get("AWSTemplateFormatVersion", "2010-09-09")
    if version != "2010-09-09":
        raise TemplateError(
            f"Template format error: {version} is not a supported value for"
            " AWSTemplateFormatVersion."
        )
    has_resources = isinstance(document.get("Resources", {}), dict) and document.get("Resources")
    if not has_resources and not is_opaque:
        raise TemplateError("Template format error: At least one Resources member must be defined.")


def _description(written: Any) -> str | None:
    if written is None:
        return None
    if not isinstance(written, str):
        raise TemplateError("Template format error: Description must be a string.")
    if len(written.encode(errors="replace")) > _DESCRIPTION_BYTES_MAX:
        raise TemplateError(
            f"Template format error: 'Description' length is greater than {_DESCRIPTION_BYTES_MAX}."
        )
    return written


def _as_is(_: str, written: Any) -> Any:
    return written


def _check_references(template: Template) -> None:
    _check_conditions(template)
    unresolved: list[str] = []
    dependencies: dict[str, set[str]] = {}
    for resource in template.resources.values():
        _check_policies(template, resource)
        names = _referred(template, _values(resource), resource.condition, "Resources")
        unresolved += _unresolved(template, names)
        unresolved += [name for name in resource.depends_on if name not in template.resources]
        if resource.condition is None:
            sure = {reference.name for reference in names if reference.is_sure}
            dependencies[resource.logical_id] = sure | {*resource.depends_on}
    _refuse_unresolved(unresolved, "Resources")
    # Only what holds with any conditions; an evaluation checks the rest.
    in_order({name: needed & set(dependencies) for name, needed in dependencies.items()})
    for output in template.outputs.values():
        names = _referred(template, [output.value, output.export_name], output.condition, "Outputs")
        unresolved += _unresolved(template, names)
    _refuse_unresolved(unresolved, "Outputs")


def _check_policies(template: Template, resource: Resource) -> None:
    """Only language extensions allow functions there."""
    policies = (resource.deletion_policy, resource.update_replace_policy)
    if not template.is_extended and any(isinstance(policy, dict) for policy in policies):
        raise TemplateError(
            "Template format error: Every DeletionPolicy and UpdateReplacePolicy member must be a"
            " string."
        )


def _values(resource: Resource) -> list[Any]:
    return [
        resource.properties,
        resource.metadata,
        resource.creation_policy,
        resource.update_policy,
        resource.deletion_policy,
        resource.update_replace_policy,
    ]


def _referred(
    template: Template, values: Any, condition: str | None, block: str
) -> list[Reference]:
    if condition is not None and condition not in template.conditions:
        raise TemplateError(
            f"Template format error: Unresolved condition dependency {condition} in the {block}"
            " block of the template"
        )
    found = references(values)
    _check_extensions(template, found)
    for name in found.conditions:
        if name not in template.conditions:
            raise TemplateError(f"Template error: unresolved condition dependency {name} in Fn::If")
    return found.names


def _check_extensions(template: Template, found: References) -> None:
    if found.extensions and not template.is_extended:
        raise TemplateError(
            f"Template error: {found.extensions[0]} needs the transform {LANGUAGE_EXTENSIONS}."
        )


def _unresolved(template: Template, names: Iterable[Reference]) -> list[str]:
    unresolved = []
    for reference in names:
        if reference.name in template.resources:
            continue
        if reference.attribute is not None:
            raise TemplateError(
                "Template error: instance of Fn::GetAtt references undefined resource"
                f" {reference.name}"
            )
        if reference.name not in template.parameters and reference.name not in PSEUDO_PARAMETERS:
            unresolved.append(reference.name)
    return unresolved


def _refuse_unresolved(names: Iterable[str], block: str) -> None:
    if names:
        listed = ", ".join(dict.fromkeys(names))
        raise TemplateError(
            f"Template format error: Unresolved resource dependencies [{listed}] in the {block}"
            " block of the template"
        )


def _check_conditions(template: Template) -> None:
    needed = {}
    for name, written in template.conditions.items():
        found = references(written, in_condition=True)
        _check_extensions(template, found)
        unresolved = [
            reference.name
            for reference in found.names
            if reference.name not in template.parameters and reference.name not in PSEUDO_PARAMETERS
        ]
        unresolved += [other for other in found.conditions if other not in template.conditions]
        if unresolved:
            raise TemplateError(
                f"Template format error: Unresolved dependencies [{', '.join(unresolved)}]. Cannot"
                " reference resources in the Conditions block of the template"
            )
        needed[name] = found.conditions
    in_order(needed, "conditions")
