"""Lambent as root in a chroot, whose root is not a mount point: boxes are the same as elsewhere."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.node.languages.preparing import default_cache
from tests.process_tier.containers import REPOSITORY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# In a separate mount namespace, which ends with it.
ENTER = """
set -e
root=$1; shift
for path in $SHOWN; do mkdir -p "$root$path"; mount --rbind "$path" "$root$path"; done
mkdir -p "$root/var/cache/lambent/runtimes"
mount --bind "$RUNTIMES" "$root/var/cache/lambent/runtimes"
exec chroot "$root" "$@"
"""
START = ("unshare", "--mount", "--propagation", "slave", "sh", "-c", ENTER, "sh")
SCRIPT = """
import json, pathlib, subprocess, sys
from tests.platforms import Platform, deploy, invoke
report = {}
settings = ["--set", "worker.runtimes_dir=/var/cache/lambent/runtimes"]
pathlib.Path("/var/lib").mkdir(exist_ok=True)
platform = Platform(pathlib.Path("/var/lib/lambent"), *settings, is_fresh=True)
try:
    report["said"] = platform.output
    client = platform.client("lambda")
    code = "import os\\ndef handler(event, context):\\n    return [os.listdir('/'), os.getuid()]"
    deploy(client, "f", {"app.py": code})
    report["inside"] = invoke(client, "f")[0]
finally:
    report["code"] = platform.stop()
report["mounts"] = pathlib.Path("/proc/self/mountinfo").read_text().count("lambent")
print("REPORT " + json.dumps(report))
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory that becomes a root: everything in it except temporary files is mounted."""
    directory = Path(tempfile.mkdtemp(prefix="lambent-test-", dir="/var/tmp"))
    directory.chmod(0o755)
    for name in ("tmp", "root", "run"):
        (directory / name).mkdir()
    (directory / "tmp").chmod(0o1777)
    for name in SYSTEM:
        source = Path("/") / name
        if source.is_symlink():
            (directory / name).symlink_to(source.readlink())
    yield directory
    shutil.rmtree(directory)


@pytest.mark.timeout(300)
def test_root_in_a_chroot(root: Path) -> None:
    """The tier is that of root, functions see the box's files and none of the chroot's, and no
    mount is left, outside neither."""
    shown = ["/usr", "/etc", "/proc", "/sys", "/dev", str(REPOSITORY)]
    shown += [f"/{name}" for name in SYSTEM if Path(f"/{name}").is_dir()]
    base = os.path.realpath(sys.base_prefix)
    shown = [path for path in [*shown, base] if not Path(path).is_symlink() and path != "/usr"]
    environment = {
        **{"SHOWN": " ".join(["/usr", *shown]), "RUNTIMES": str(default_cache())},
        **{"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": "/root"},
    }
    before = Path("/proc/self/mountinfo").read_text().count(str(root))
    done = subprocess.run(
        [*START, str(root), sys.executable, "-c", SCRIPT],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=240,
        check=False,
    )
    output = done.stdout.decode()
    lines = [line for line in output.splitlines() if line.startswith("REPORT ")]
    assert lines, output
    report = json.loads(lines[0][7:])
    assert "ISOLATION IS WEAK" not in report["said"]
    assert report["code"] == 0
    names, uid = report["inside"]
    assert uid == 993
    assert {"var", "opt", "usr"} <= set(names)
    assert "root" not in names
    assert Path("/proc/self/mountinfo").read_text().count(str(root)) == before
