"""Kernels that lack a feature: what does not need it works, and what does is named."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.sandbox.launcher import linux
from tests.isolation.test_doctor import command, expect_nothing, run_doctor
from tests.platforms import Platform, deploy

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]
PAGE = Path(__file__).parents[2] / "docs/kernel-features.md"
LOOP_CONFIGURE = "ioctl:0x4C0A"


def doctor_without(place: Path, *lacking: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """The finding of doctor on such a kernel."""
    words = [sys.executable, "-m", "tests.isolation.lacking", *lacking, "--", *command(place)]
    return run_doctor(words)


@pytest.mark.parametrize(("name", "version"), [("mount_setattr", "5.12"), ("clone3", "5.3")])
def test_what_a_box_needs_is_named(open_place: Path, name: str, version: str) -> None:
    """With the version of Linux that has it; the attempt leaves nothing behind."""
    code, report, tried = doctor_without(open_place, f"{name}=ENOSYS")
    needs_no_call = name == "clone3" and " cgroup2 " not in Path("/proc/self/mountinfo").read_text()
    if report["tier"] == "process" or needs_no_call:
        # A weaker tier was chosen; and clone3 is only needed to join a v2 group.
        assert code == 0, report["summary"]
        refused = [check for check in report["checks"] if f"{name} needs" in check["found"]]
        assert needs_no_call or refused
        assert all("Linux 5.15 or newer" in check["fix"] for check in refused)
    else:
        assert code == 1
        broken = [check for check in tried.values() if check["state"] == "broken"]
        assert f"{name} needs Linux {version}" in broken[0]["found"]
        assert "Linux 5.15 or newer" in broken[0]["fix"]
    expect_nothing(open_place)


def test_a_kernel_that_denies_what_is_in_a_user_namespace(tmp_path: Path) -> None:
    """As Ubuntu's does for ordinary users: the namespace is created, and every mount in it fails.
    The exact error is reported, with a fix, or a tier that needs no mount was chosen."""
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    without = [sys.executable, "-m", "tests.isolation.lacking", "mount=EACCES", "--"]
    code, report, tried = run_doctor([*as_user, *without, *command(tmp_path)])
    if report["tier"] == "process":
        assert code == 0, report["summary"]
    else:
        assert (code, report["state"]) == (1, "broken")
        assert "Permission denied" in tried["launcher"]["found"]
        assert tried["launcher"]["fix"]
    expect_nothing(tmp_path)


def test_without_sk_lookup_common_ports_lead_out(tmp_path: Path) -> None:
    """Before Linux 5.9 or without BPF: functions run, and the limitation is logged once."""
    code, report, tried = doctor_without(tmp_path, "bpf=ENOSYS")
    assert code == 0, report["summary"]
    assert tried["network"]["found"] == "TCP to common ports only, no UDP"
    words = tried["words of the launcher"]["found"]
    assert len(re.findall(r"Linux 5\.9 \(BPF sk_lookup\)", words)) == 1
    expect_nothing(tmp_path)


def test_without_loop_configure_tmp_takes_memory(tmp_path: Path) -> None:
    """Before Linux 5.8."""
    code, report, tried = doctor_without(tmp_path, f"{LOOP_CONFIGURE}=EINVAL")
    assert code == 0, report["summary"]
    words = tried["words of the launcher"]["found"]
    assert "LOOP_CONFIGURE needs Linux 5.8" in words
    assert words.count("/tmp of functions takes memory, not disk") == 1
    expect_nothing(tmp_path)


class PlatformWithout(Platform):
    """A platform on such a kernel."""

    def __init__(self, data_dir: Path, *lacking: str) -> None:
        self.data_dir = data_dir
        prefix = [sys.executable, "-m", "tests.isolation.lacking", *lacking, "--"]
        up = [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", str(data_dir)]
        self.process = subprocess.Popen(
            [*prefix, *up], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output = ""
        self.endpoint = self._read_endpoint(deadline=time.monotonic() + 100)


def test_an_environment_that_cannot_be_built(tmp_path: Path) -> None:
    """The platform's log says why and refers to doctor, which reports the same step."""
    platform = PlatformWithout(tmp_path / "data", "sethostname=EPERM")
    try:
        client = platform.client("lambda")
        deploy(client, "unlucky", {"app.py": "def handler(event, context):\n    return 1\n"})
        with pytest.raises(ClientError) as refused:
            client.invoke(FunctionName="unlucky")
    finally:
        platform.stop()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    warnings = [line for line in platform.output.splitlines() if "see `lambent doctor`" in line]
    assert warnings, platform.output
    assert "Operation not permitted" in warnings[0]
    code, _, tried = doctor_without(tmp_path / "data", "sethostname=EPERM")
    assert code == 1
    assert "Operation not permitted" in tried["box"]["found"]


def test_the_page_has_every_call_with_its_version() -> None:
    """docs/kernel-features.md contains the messages."""
    rows = PAGE.read_text().splitlines()
    for name, version in linux.SINCE.values():
        assert any(f"`{name}`" in row and f"| {version} |" in row for row in rows), name
