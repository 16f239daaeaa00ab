"""No function finds what another has left, not even one with the same user on the host."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hostile.cases import case
from tests.hostile.conftest import MODES, PACKAGE, Function
from tests.platforms import Platform, deploy


@pytest.fixture(scope="module")
def small_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform without prewarming, so that a user ID is reused at once."""
    variables = {"LAMBENT_SANDBOX__PREPARED_MEMORY_MB": "1"}
    running = Platform(tmp_path_factory.mktemp("small") / "data", environment=variables)
    yield running
    assert running.stop() == 0, running.output


@pytest.fixture(scope="module")
def one_more(small_platform: Platform) -> Callable[[str], Function]:
    """Deploys another function on it."""
    client = small_platform.client("lambda")
    count = iter(range(1000))

    def deploy_one(mode: str) -> Function:
        name = f"residue-{next(count)}"
        deploy(client, name, PACKAGE, Environment={"Variables": MODES[mode]})
        return Function(client, name)

    return deploy_one


@case(
    "residue-files",
    "residue-ipc",
    "residue-sockets",
    "residue-environment",
    "residue-host-name",
    "residue-keys",
    "residue-blocks",
    "residue-same-user",
)
def test_the_next_function_finds_nothing(one_more: Callable[[str], Function], mode: str) -> None:
    """Files, blocks of the disk, IPC objects, sockets, variables and the host's name."""
    mark = f"mark-{uuid.uuid4().hex}"
    first = one_more(mode)
    name = first.do("residue.leave", mark=mark)
    first.do("residue.fill", mark=mark)
    box = first.box()
    assert box.inside("/tmp/residue").read_text() == mark
    first.delete()
    box.wait_gone()
    second = one_more(mode)
    found = second.do("residue.find")
    assert not second.do("residue.free_blocks", wanted=mark)
    after = second.box()
    assert after.uid == box.uid
    assert found == {
        "tmp": [],
        "elsewhere": [],
        "environment": [],
        "unix": False,
        "ipc": [-1, -1, -1, -1],
        "sysvipc": [1, 1, 1],
        "processes": 2,
    }
    assert name != "residue"
    assert not list(after.inside("/tmp").glob("*residue*"))
    assert f"{box.uid}:" not in Path("/proc/key-users").read_text()
    second.delete()
