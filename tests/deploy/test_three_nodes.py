"""docs/three-nodes.md, run as printed on machines made of namespaces.

Each machine has a network, a host name, and copies of the directories that the commands write to.
Blocks that install what is installed already, or need systemd, are not run; the page says so.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.network import Network
from tests.faults.services import Services
from tests.lengths import IS_LONG
from tests.platforms import wait_for

PAGE = (Path(__file__).parents[2] / "docs" / "three-nodes.md").read_text(encoding="utf-8")
MACHINES = {"one": "10.0.0.1", "two": "10.0.0.2", "three": "10.0.0.3", "front": "10.0.0.10"}
_BLOCK = re.compile(r"([^\n]*)\n\n(<!-- not run: .*? -->\n)?```sh\n(.*?)```", re.DOTALL)
_PREPARE = """
set -e
hostname {name}
ip link set lo up
trees=$(echo /sys/fs/cgroup/*/)
[ ! -e /sys/fs/cgroup/cgroup.procs ] || trees=/sys/fs/cgroup/
for tree in $trees; do
    mkdir $tree/{source}
    for file in cpuset.cpus cpuset.mems; do
        [ ! -e $tree/cgroup.procs ] || [ ! -e $tree/$file ] || cat $tree/$file >$tree/{source}/$file
    done
    mount --bind $tree/{source} $tree
done
mount -t tmpfs {source} /mnt
for directory in etc var root; do
    mkdir -p /mnt/$directory/upper /mnt/$directory/work
    mount -t overlay {source} /$directory \
        -o lowerdir=/$directory,upperdir=/mnt/$directory/upper,workdir=/mnt/$directory/work
done
mkdir -p /var/lib/lambent
mount -t tmpfs -o mode=711 {source} /var/lib/lambent
mount -t tmpfs -o mode=755 {source} /run
install -d -o postgres -g postgres -m 2775 /run/postgresql
ln -sfn /run /var/run
touch /run/ready
exec sleep infinity
"""
_JOIN = """
for group in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
    [ ! -e $group ] || echo $$ >$group
done
"""
"""As in a container: a machine sees its own control groups, as if there were no others."""
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces"),
    pytest.mark.skipif(not IS_LONG, reason="long: make test-long runs it"),
    pytest.mark.timeout(900),
]


class Host:
    """A machine."""

    def __init__(self, network: Network, name: str) -> None:
        script = _PREPARE.format(name=name, source=network.namespace(name))
        self._process = subprocess.Popen(
            [*network.command(name), "unshare", "--mount", "--uts", "bash", "-c", script]
        )
        self._enter = [
            *("nsenter", f"--target={self._process.pid}", "--mount", "--uts", "--net"),
            *("bash", "-euxo", "pipefail", "-c"),
        ]
        wait_for(lambda: Path(f"/proc/{self._process.pid}/root/run/ready").exists(), "it is ready")

    def run(self, script: str) -> str:
        """Run commands; returns what they print."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            [*self._enter, _JOIN + script],
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
            cwd="/",
            env={"PATH": path, "HOME": "/root", "AWS_PAGER": "", "LANG": "C.UTF-8"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end(self) -> None:
        """Its mounts go with it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)


@contextmanager
def hosts() -> Iterator[dict[str, Host]]:
    """The four machines, with a bucket on the last, as the page asks for."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(Network(*MACHINES, addresses=MACHINES))
        services = stack.enter_context(Services(network, "front", port=9000))
        with network.inside("front"):
            services.client("s3", account="lambent").create_bucket(Bucket="lambent")
        made = {}
        for name in MACHINES:
            made[name] = Host(network, name)
            stack.callback(made[name].end)
        yield made


def blocks() -> Iterator[tuple[list[str], str]]:
    """The blocks that are run, each with the addresses that the sentence before it names."""
    for before, not_run, script in _BLOCK.findall(PAGE):
        if not not_run:
            yield re.findall(r"10\.0\.0\.\d+", before.rpartition("On ")[2]), script


def test_the_page() -> None:
    """All of it: the function is called on any node, also when one of them has ended."""
    assert [len(addresses) for addresses, _ in blocks()] == [1, 3, 3, 1, 1, 3, 1, 1, 1, 1]
    said: list[str] = []
    with hosts() as machines:
        by_address = {MACHINES[name]: host for name, host in machines.items()}
        for addresses, script in blocks():
            output = [by_address[address].run(script) for address in addresses]
            said += output
            keys = next((text for text in output if "aws_access_key_id" in text), None)
            if keys is not None:
                by_address["10.0.0.10"].run(f"cat >/root/lambent-key <<'END'\n{keys}END\n")
        for name in ("one", "two", "three"):
            machines[name].run("lambent down --data-dir /var/lib/lambent")
    text = "\n".join(said)
    assert text.count('{"hello": "you"}') == 6
    assert text.count('{"hello": "anyone"}') == 6
    assert [output.count(" live ") for output in said if " live " in output] == [3, 2], text
