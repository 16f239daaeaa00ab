"""Random sequences of create, update, publish, alias and delete, against a simple model of the
expected state."""

import io
import uuid
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.lengths import examples

from .functions_api import ROLE, wait

SOURCES = st.sampled_from(["a", "b", "c"])
DESCRIPTIONS = st.sampled_from(["", "one", "two"])
NAMES = st.sampled_from(["live", "next", "old"])
NUMBERS = st.integers(1, 6).map(str)


def package(source: str) -> bytes:
    """A package, equal for equal sources."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), source)
    return file.getvalue()


class ControlPlane(RuleBasedStateMachine):
    """One function, and its expected state."""

    client: Any = None
    """Set by the test."""

    @initialize(source=SOURCES, description=DESCRIPTIONS)
    def create(self, source: str, description: str) -> None:
        """A new function."""
        self.name = f"r-{uuid.uuid4().hex[:12]}"
        self._create(source, description)

    def _create(self, source: str, description: str) -> None:
        self.client.create_function(
            FunctionName=self.name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="app.handler",
            Description=description,
            Code={"ZipFile": package(source)},
        )
        wait(self.client, "function_active_v2", self.name)
        self.latest = (source, description)
        self.published: dict[str, tuple[str, str]] = {}
        self.snapshots: dict[str, tuple[str, str]] = {}
        """What `$LATEST` was when each version was published."""
        self.aliases: dict[str, tuple[str, dict[str, float]]] = {}
        self.next_number = 1

    @rule(source=SOURCES)
    def update_code(self, source: str) -> None:
        self.client.update_function_code(FunctionName=self.name, ZipFile=package(source))
        wait(self.client, "function_updated_v2", self.name)
        self.latest = (source, self.latest[1])

    @rule(description=DESCRIPTIONS)
    def update_configuration(self, description: str) -> None:
        self.client.update_function_configuration(FunctionName=self.name, Description=description)
        wait(self.client, "function_updated_v2", self.name)
        self.latest = (self.latest[0], description)

    @rule(description=st.none() | DESCRIPTIONS)
    def publish(self, description: str | None) -> None:
        members = {} if description is None else {"Description": description}
        answer = self.client.publish_version(FunctionName=self.name, **members)
        last = max(self.published, key=int, default=None)
        if last is not None and self.snapshots[last] == self.latest:
            assert answer["Version"] == last
            return
        number = str(self.next_number)
        assert answer["Version"] == number
        self.next_number += 1
        self.snapshots[number] = self.latest
        shown = self.latest[1] if description is None else description
        self.published[number] = (self.latest[0], shown)

    @rule(name=NAMES, version=NUMBERS, other=st.none() | NUMBERS, share=st.floats(0, 1))
    def put_alias(self, name: str, version: str, other: str | None, share: float) -> None:
        weights = {} if other is None else {other: share}
        exists = name in self.aliases
        attempt = self.client.update_alias if exists else self.client.create_alias
        is_good = version in self.published and (
            other is None or (other in self.published and other != version)
        )
        try:
            attempt(
                FunctionName=self.name,
                Name=name,
                FunctionVersion=version,
                RoutingConfig={"AdditionalVersionWeights": weights},
            )
        except ClientError as error:
            assert not is_good, error
            return
        assert is_good
        self.aliases[name] = (version, weights)

    @rule(name=NAMES)
    def delete_alias(self, name: str) -> None:
        self.client.delete_alias(FunctionName=self.name, Name=name)
        self.aliases.pop(name, None)

    @rule(version=NUMBERS)
    def delete_version(self, version: str) -> None:
        is_needed = any(
            version == main or version in weights for main, weights in self.aliases.values()
        )
        try:
            self.client.delete_function(FunctionName=self.name, Qualifier=version)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceConflictException"
            assert is_needed
            return
        assert not is_needed
        self.published.pop(version, None)

    @rule(source=SOURCES, description=DESCRIPTIONS)
    def delete_and_create_again(self, source: str, description: str) -> None:
        self.client.delete_function(FunctionName=self.name)
        with pytest.raises(ClientError):
            self.client.get_function(FunctionName=self.name)
        self._create(source, description)

    @invariant()
    def everything_is_as_it_must_be(self) -> None:
        if not hasattr(self, "name"):
            return
        listed = self.client.list_versions_by_function(FunctionName=self.name)["Versions"]
        assert [version["Version"] for version in listed] == [
            "$LATEST",
            *sorted(self.published, key=int),
        ]
        for version in listed:
            source, description = self.published.get(version["Version"], self.latest)
            assert version["Description"] == description
            assert version["CodeSize"] == len(package(source))
        found = self.client.list_aliases(FunctionName=self.name)["Aliases"]
        shown = {
            alias["Name"]: (
                alias["FunctionVersion"],
                alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
            )
            for alias in found
        }
        assert shown == self.aliases

    def teardown(self) -> None:
        if hasattr(self, "name"):
            self.client.delete_function(FunctionName=self.name)


@pytest.fixture
def machine(client: Any) -> Iterator[type[ControlPlane]]:
    """The machine, connected."""
    ControlPlane.client = client
    yield ControlPlane
    ControlPlane.client = None


@pytest.mark.timeout(300)
def test_random_sequences(machine: type[ControlPlane]) -> None:
    """After any operations in any order, the API returns the requested state."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(25),
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
