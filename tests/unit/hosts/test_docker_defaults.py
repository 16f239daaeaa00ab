"""The containers that hosts are tried in are as strict as Docker's."""

from typing import Any

from tests.hosts.docker_defaults import SYSTEM_CALLS, configuration


def of(*, is_privileged: bool) -> dict[str, Any]:
    """A configuration."""
    return configuration(root="/r", first=["sh"], is_privileged=is_privileged)


def test_a_default_container_may_not_isolate_others() -> None:
    """No right to administer, no namespaces, no mounts; control groups are read-only."""
    config = of(is_privileged=False)
    for names in config["process"]["capabilities"].values():
        assert "CAP_SYS_ADMIN" not in names
        assert "CAP_SETUID" in names
    forbidden = {"mount", "umount2", "unshare", "setns", "pivot_root", "clone3", "bpf", "keyctl"}
    assert not forbidden & set(SYSTEM_CALLS)
    assert len(SYSTEM_CALLS) == len(set(SYSTEM_CALLS)) > 250
    (clone,) = [rule for rule in config["linux"]["seccomp"]["syscalls"] if "clone" in rule["names"]]
    assert clone["args"][0]["value"] & 0x10000000, "a new user namespace is asked for and given"
    assert config["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    groups = [mount for mount in config["mounts"] if mount["destination"] == "/sys/fs/cgroup"]
    assert "ro" in groups[0]["options"]
    assert "/proc/sys" in config["linux"]["readonlyPaths"]


def test_a_privileged_container_may() -> None:
    """Nothing is filtered, masked or read-only."""
    config = of(is_privileged=True)
    assert "CAP_SYS_ADMIN" in config["process"]["capabilities"]["effective"]
    assert not {"seccomp", "maskedPaths", "readonlyPaths"} & set(config["linux"])
    groups = [mount for mount in config["mounts"] if mount["destination"] == "/sys/fs/cgroup"]
    assert "rw" in groups[0]["options"]
