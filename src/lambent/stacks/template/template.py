"""A template as values, and all that can be checked without parameters."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lambent.stacks.template import sections
from lambent.stacks.template.circles import check_circles
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.parts import Assertion, Mappings, Output, Parameter, Resource, Rule
from lambent.stacks.template.references import PSEUDO_PARAMETERS, Reference, references
from lambent.stacks.template.shape import Document, check_document

__all__ = [
    "Assertion",
    "Mappings",
    "Output",
    "Parameter",
    "Resource",
    "Rule",
    "Template",
    "parse_template",
]

LANGUAGE_EXTENSIONS: Final = "AWS::LanguageExtensions"
RESOURCES_MAX = 500
OTHERS_MAX = 200
"""Parameters, and the same of outputs."""
_SECTIONS = frozenset({
    "AWSTemplateFormatVersion", "Conditions", "Description", "Globals", "Hooks", "Mappings",
    "Metadata", "Outputs", "Parameters", "Resources", "Rules", "Transform",
})  # fmt: skip
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
    """Names of macros, in their order."""


def parse_template(document: Any) -> Template:
    """The template that a document says. Raises `TemplateError`, as ValidateTemplate does."""
    check_document(document)
    _check_sections(document)
    transforms = _transforms(document.get("Transform", []))
    looped = LANGUAGE_EXTENSIONS in transforms
    template = Template(
        document=document,
        description=_description(document.get("Description")),
        metadata=document.get("Metadata"),
        parameters=sections.section(
            document.get("Parameters", {}), "Parameter", sections.parameter, most=OTHERS_MAX
        ),
        mappings=sections.mappings(document.get("Mappings", {})),
        conditions=sections.section(
            document.get("Conditions", {}), "Condition", _as_is, most=RESOURCES_MAX, looped=looped
        ),
        resources=sections.section(
            document["Resources"],
            "Resource",
            functools.partial(
                sections.resource, lenient=bool(set(transforms) - {LANGUAGE_EXTENSIONS})
            ),
            most=RESOURCES_MAX,
            looped=looped,
        ),
        outputs=sections.section(
            document.get("Outputs", {}), "Output", sections.output, most=OTHERS_MAX, looped=looped
        ),
        rules=sections.section(document.get("Rules", {}), "Rule", sections.rule, most=OTHERS_MAX),
        transforms=transforms,
    )
    if not transforms:  # macros and loops may add what is referred to
        _check_references(template)
    return template


def _check_sections(document: Document) -> None:
    unknown = [name for name in document if name not in _SECTIONS and name != "Fn::Transform"]
    if unknown:
        raise TemplateError(f"Invalid template property or properties [{', '.join(unknown)}]")
    version = document.get("AWSTemplateFormatVersion", "2010-09-09")
    if version != "2010-09-09":
        raise TemplateError(
            f"Template format error: {version} is not a supported value for"
            " AWSTemplateFormatVersion."
        )
    if not isinstance(document.get("Resources", {}), dict) or not document.get("Resources"):
        raise TemplateError("Template format error: At least one Resources member must be defined.")


def _transforms(written: Any) -> tuple[str, ...]:
    names = []
    for transform in written if isinstance(written, list) else [written]:
        name = transform.get("Name") if isinstance(transform, dict) else transform
        if not isinstance(name, str):
            raise TemplateError(
                "Template format error: Every Transform must be a string or have a Name."
            )
        names.append(name)
    return tuple(names)


def _description(written: Any) -> str | None:
    if written is None:
        return None
    if not isinstance(written, str):
        raise TemplateError("Template format error: Description must be a string.")
    if len(written.encode(errors="replace")) > _DESCRIPTION_BYTES_MAX:
        raise TemplateError(
            f"Template format error: Description is longer than {_DESCRIPTION_BYTES_MAX} bytes."
        )
    return written


def _as_is(_: str, written: Any) -> Any:
    return written


def _check_references(template: Template) -> None:
    names = PSEUDO_PARAMETERS | set(template.parameters)
    _check_conditions(template, names)
    unresolved: list[str] = []
    dependencies: dict[str, set[str]] = {}
    for resource in template.resources.values():
        _check_condition(template, resource.condition)
        found = _references(template, resource)
        unresolved += _unresolved(template, found)
        unresolved += [name for name in resource.depends_on if name not in template.resources]
        if resource.condition is None:
            dependencies[resource.logical_id] = {*resource.depends_on} | {
                reference.name
                for reference in found
                if reference.sure and reference.name in template.resources
            }
    _refuse_unresolved(unresolved, "Resources")
    check_circles(
        {name: [on for on in needed if on in dependencies] for name, needed in dependencies.items()}
    )
    for output in template.outputs.values():
        _check_condition(template, output.condition)
        unresolved += _unresolved(template, _references(template, output))
    _refuse_unresolved(unresolved, "Outputs")


def _references(template: Template, part: Resource | Output) -> list[Reference]:
    values = (
        [
            part.properties,
            part.metadata,
            part.creation_policy,
            part.update_policy,
            part.deletion_policy,
            part.update_replace_policy,
        ]
        if isinstance(part, Resource)
        else [part.value, part.export_name]
    )
    found = references(values)
    for name in found.conditions:
        if name not in template.conditions:
            raise TemplateError(f"Template error: unresolved condition dependency {name} in Fn::If")
    return found.names


def _unresolved(template: Template, found: Iterable[Reference]) -> list[str]:
    unresolved = []
    for reference in found:
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
            f"Template format error: Unresolved resource dependencies [{listed}] in the"
            f" {block} block of the template"
        )


def _check_condition(template: Template, name: str | None) -> None:
    if name is not None and name not in template.conditions:
        raise TemplateError(f"Template format error: Unresolved condition dependency {name}")


def _check_conditions(template: Template, names: Iterable[str]) -> None:
    for written in template.conditions.values():
        unresolved = [
            reference.name for reference in references(written).names if reference.name not in names
        ]
        if unresolved:
            raise TemplateError(
                f"Template format error: Unresolved dependencies [{', '.join(unresolved)}]. Cannot"
                " reference resources in the Conditions block of the template"
            )
