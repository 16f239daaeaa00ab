"""The launcher without namespaces, with requests that a compromised platform could send."""

import glob
import os
from pathlib import Path

import pytest

from lambent.sandbox.ports import BoxSpec, Mount, SandboxError, StartSpec, Template
from tests.isolation.boxes import start_site

pytestmark = pytest.mark.anyio


async def test_only_what_is_allowed_is_shown(tmp_path: Path) -> None:
    """Directories below its roots, at the paths of a box, without links."""
    with start_site(tmp_path, tier="process") as site:
        (site.code / "inside").mkdir()
        (site.code / "link").symlink_to("/etc")
        async with site.open() as opened, opened.volume() as volume:
            for source, target in (
                ("/etc", "/var/task"),
                (f"{site.code}/../..", "/var/task"),
                (f"{site.code}/link", "/opt"),
                (f"{site.code}/app.txt", "/opt"),
                (f"{site.code}/inside", "/etc"),
                (f"{site.code}/inside", "/tmp"),
                (f"{site.code}/inside", "../../etc"),
            ):
                spec = BoxSpec(
                    memory_mb=128, mounts=[Mount(source=source, target=target)], volume=volume
                )
                with pytest.raises(SandboxError):
                    await opened.sandboxes.open_box(spec)
            mounts = [Mount(source=f"{site.code}/inside", target="/opt")]
            spec = BoxSpec(memory_mb=128, mounts=mounts, volume=volume)
            box = await opened.sandboxes.open_box(spec)
            assert box.runtime_api.getsockname() != box.endpoint.getsockname()
            root = glob.glob(f"{tmp_path}/sandbox/v*")[0]
            assert os.readlink(f"{root}/opt") == mounts[0].source
            await box.close()
    assert not glob.glob(f"{tmp_path}/sandbox/v*")


async def test_nothing_is_prepared(tmp_path: Path) -> None:
    """Starting from a template is refused; functions are executed."""
    with start_site(tmp_path, tier="process") as site:
        async with site.open() as opened:
            assert not opened.sandboxes.has_templates
            template = Template(name="t", argv=["/x"], environment={}, mounts=[], forks=True)
            spec = StartSpec(
                memory_mb=128, mounts=[], environment={}, volume_mb=16, log_pipe_variable="L"
            )
            with pytest.raises(SandboxError, match="nothing is prepared"):
                await opened.sandboxes.start(template, spec, lambda _: None)
