"""Properties of any form: a type of resource refuses them, and raises nothing else."""

from typing import Any

import anyio
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import ApiError
from lambent.stacks.resources.conversion import convert
from lambent.stacks.resources.facts import facts_of, input_of
from lambent.stacks.resources.inputs import patches
from lambent.stacks.resources.naming import shortened
from lambent.stacks.resources.registry import ROWS
from lambent.stacks.resources.resource_type import Made
from lambent.stacks.resources.row_type import Name, Path
from lambent.stacks.resources.schema import settable_of
from lambent.stacks.template.values import UNKNOWN
from tests.unit.stacks.resources.fake_api import STEP, FakeApi, type_of

WORDS = ("Id", "Key", "Value", "Rules", "Type", "Event", "Filter", "S3Key", "Statement", "Status")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JUNK = st.recursive(
    SCALARS | st.sampled_from(["true", "5", "2030-01-01T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=6,
)
BUSY = {"Stage": {}, "RandomPassword": "x", "Body": b"{", "Versions": [], "deploymentId": "d"}
"""Members of the responses of every operation."""


class AnyApi(FakeApi):
    """Responds to every operation."""

    async def call(self, service: str, operation: str, params: Any, caller: Any) -> Any:
        return BUSY


@st.composite
def resources(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A type, and old and new properties of it."""
    name = draw(st.sampled_from(sorted(ROWS)))
    known = sorted(settable_of(facts_of(name)))
    properties = st.dictionaries(st.sampled_from(known), JUNK, max_size=5)
    return name, draw(properties), draw(properties)


@given(resources())
def test_properties_of_any_form(resource: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    """In each method of a type."""
    name, old, new = resource
    kind = type_of(name, AnyApi({}))
    kind.replaces(old, new)
    kind.custom_name(new)

    async def use() -> None:
        calls = (
            lambda: kind.create(STEP, new),
            lambda: kind.update(STEP, Made("a|b", {}), old, new),
            lambda: kind.delete(STEP, Made("a|b", {}), old),
            lambda: kind.read(STEP, Made("a|b", {}), new),
        )
        for call in calls:
            try:
                await call()
            except ApiError as error:
                assert error.message

    for properties in (new, {**new, **dict.fromkeys(facts_of(name).required, UNKNOWN)}):
        try:
            kind.check(properties)
        except ApiError as error:
            assert error.code == "ValidationError"
    anyio.run(use)


@given(JUNK, st.sampled_from(["CreateFunction", "CreateEventSourceMapping", "CreateAlias"]))
def test_values_become_members_or_are_refused(value: Any, operation: str) -> None:
    """Never anything else than the model says."""
    kinds: dict[str, type | tuple[type, ...]] = {"s": str, "i": int, "f": float, "b": bool}
    for member, shape in input_of("lambda", operation).items():
        try:
            converted = convert(value, shape, member)
        except ApiError as error:
            assert member in error.message or "unsupported property" in error.message
        else:
            expected = kinds.get(shape) if isinstance(shape, str) else (dict, list)
            assert expected is None or isinstance(converted, expected)


@given(st.text(min_size=1, max_size=300), st.integers(min_value=20, max_value=300), st.booleans())
def test_generated_names(start: str, maximum: int, is_lower: bool) -> None:
    """Are as long as the type allows, and end with what makes them unique."""
    rule = Name("Name", maximum, is_lower=is_lower)
    name = shortened(f"{start.lower()}-ABCDEFGHIJKL", rule, {})
    assert len(name) <= max(maximum, 13) or len(name.encode()) != len(name)
    assert name.upper().endswith("-ABCDEFGHIJKL")


PATHS = st.dictionaries(
    st.sampled_from(["/name", "/tags/a", "/tags/b", "/list#a", "/list#b", "/limit/low"]),
    st.text(max_size=2),
)


def typed(values: dict[str, str]) -> dict[str, Path]:
    """Values with the kind that their path has."""
    made = {}
    for path, value in values.items():
        if path.startswith("/list"):
            made[path] = Path(path[-1], "item")
        elif path.startswith("/limit"):
            made[path] = Path(value, "setting", "/limit")
        else:
            made[path] = Path(value, "entry" if path.startswith("/tags") else "text")
    return made


@given(PATHS, PATHS)
def test_patch_operations_lead_from_old_to_new(old: dict[str, str], new: dict[str, str]) -> None:
    """Applied one after the other, each to what is there."""
    before, after = typed(old), typed(new)
    state = {path: value.value for path, value in before.items()}
    for patch in patches(before, after):
        path, value = patch["path"], patch.get("value", "")
        if path == "/list":
            path = f"/list#{value}"
        if patch["op"] == "remove":
            gone = [known for known in state if known == path or known.startswith(f"{path}/")]
            assert gone
            for known in gone:
                del state[known]
        elif patch["op"] == "add":
            assert path not in state
            state[path] = value
        else:
            assert path in state or not path.startswith("/tags")
            state[path] = value
    wanted = {path: value.value for path, value in after.items()}
    assert {path: value for path, value in state.items() if path in wanted} == wanted
    assert set(state) - set(wanted) <= {"/name"}
