"""What `lambent doctor` says about isolation, runtimes and directories."""

from pathlib import Path

import pytest

from lambent.cli.doctor import check_code_space, check_data_dir, check_isolation, check_runtimes
from lambent.sandbox.tiers import Finding, Isolation
from lambent.worker.interpreters import Interpreter

PYTHON = Interpreter(
    kind="python", version=(3, 12, 1), executable=Path("/opt/bin/python3.12"), prefix=Path("/opt")
)


def test_interpreters_are_named_as_runtimes(tmp_path: Path) -> None:
    """With what has to happen before the first call."""
    checks = {check.name: check for check in check_runtimes([PYTHON], tmp_path)}
    assert checks["python3.12"].state == "ok"
    assert "not prepared" in checks["python3.12"].found
    (tmp_path / "python3.12-0123456789ab").mkdir()
    checks = {check.name: check for check in check_runtimes([PYTHON], tmp_path)}
    assert checks["python3.12"].fix == ""


def test_a_language_that_is_missing(tmp_path: Path) -> None:
    """Is no failure, and comes with the command that installs it."""
    checks = {check.name: check for check in check_runtimes([PYTHON], tmp_path)}
    assert checks["nodejs"].state == "missing"
    assert "apt-get install nodejs" in checks["nodejs"].fix


def test_a_jre_alone_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For Java; nothing comes from the network for Ruby."""
    monkeypatch.setenv("PATH", str(tmp_path))
    java = Interpreter(
        kind="java", version=(17, 0, 1), executable=tmp_path / "bin/java", prefix=tmp_path
    )
    ruby = Interpreter(
        kind="ruby", version=(3, 3, 1), executable=Path("/usr/bin/ruby"), prefix=Path("/usr")
    )
    checks = {check.name: check for check in check_runtimes([java, ruby], tmp_path)}
    assert checks["java17"].state == "missing"
    assert "install the JDK" in checks["java17"].fix
    assert checks["ruby3.3"].fix == "`lambent up` prepares it"
    checks = {check.name: check for check in check_runtimes([PYTHON], tmp_path)}
    assert {checks[name].state for name in ("java", "ruby")} == {"missing"}


def test_a_data_directory_to_be_made(tmp_path: Path) -> None:
    """Is fine where it can be made."""
    check = check_data_dir(tmp_path / "a" / "b")
    assert (check.state, check.fix) == ("ok", "")
    assert not (tmp_path / "a").exists()


def test_a_data_directory_that_cannot_be_made() -> None:
    """Breaks the start, and says how to name another."""
    check = check_data_dir(Path("/dev/null/lambent"))
    assert check.state == "broken"
    assert "--data-dir" in check.fix


def test_the_space_of_unpacked_code(tmp_path: Path) -> None:
    """How much is used of how much; a budget of more than the disk has is pointed out."""
    assert "0 MB of at most 10 MB (worker.code_mb)" in check_code_space(tmp_path / "none", 10).found
    (tmp_path / "a").write_bytes(bytes(3 << 20))
    check = check_code_space(tmp_path, 10)
    assert check.found.startswith("3 MB of at most 10 MB")
    assert (check.state, check.fix) == ("ok", "")
    check = check_code_space(tmp_path, 1 << 40)
    assert check.state == "missing"
    assert "worker.code_mb" in check.fix


def test_weaker_isolation_is_shown_with_what_is_missing() -> None:
    """The platform starts; the missing part says how to get it."""
    findings = (Finding(name="cgroups", is_there=False, found="cannot be used", fix="mount them"),)
    checks = list(check_isolation(Isolation(tier="root-no-cgroups", findings=findings)))
    assert [(check.name, check.state) for check in checks] == [
        ("isolation", "ok"),
        ("cgroups", "missing"),
    ]
    assert checks[0].found == "tier root-no-cgroups"
    assert checks[1].fix == "mount them"


def test_no_isolation_is_broken() -> None:
    """As `lambent up` would refuse to start."""
    findings = (Finding(name="namespaces", is_there=False, found="refused", fix="allow them"),)
    checks = list(check_isolation(Isolation(tier=None, findings=findings)))
    assert (checks[0].state, checks[0].fix) == ("broken", "allow them")
