"""A strict platform with the emulator, which several files share."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.platforms import Platform

from .test_identity import TRUST, Strict


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    """A strict platform with the emulator, and the role that functions here have."""
    data = tmp_path_factory.mktemp("strict") / "data"
    running = Strict(Platform(data, "--auth", "strict", "--services"))
    running.client("iam").create_role(
        RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    yield running
    assert running.platform.stop() == 0, running.platform.output


def allow(*actions: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}
