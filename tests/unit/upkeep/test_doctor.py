"""What `lambent doctor` says about isolation, runtimes and directories."""

import os
from pathlib import Path

import pytest

from lambent.assembly.startup import explain_weakness
from lambent.sandbox.settings import SandboxSettings
from lambent.sandbox.tiers import Finding, Isolation
from lambent.settings import load_settings
from lambent.upkeep.doctor import check_promises, examine, examine_isolation, judge_trial, residue
from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.cures import cure_of
from lambent.upkeep.doctor.disk import check_code_space, check_data_dir
from lambent.upkeep.doctor.runtimes import check_runtimes
from lambent.upkeep.doctor.steps import Failed, Step
from lambent.upkeep.doctor.trial import judge_isolation
from lambent.upkeep.doctor.verdict import DoctorReport
from tests.interpreters import an_interpreter
from tests.unit.upkeep.fake_hosts import make_host

PYTHON = an_interpreter(
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


def test_an_interpreter_that_functions_may_not_enter(tmp_path: Path) -> None:
    """Where nothing can be mounted to show it elsewhere, `lambent up` skips it as well."""
    checks = {
        check.name: check for check in check_runtimes([PYTHON], tmp_path, lambda _: Path("/root"))
    }
    assert checks["python3.12"].state == "missing"
    assert "may not enter /root" in checks["python3.12"].found


def test_a_language_that_is_missing(tmp_path: Path) -> None:
    """It is not a failure, and the report contains the command that installs it."""
    checks = {check.name: check for check in check_runtimes([PYTHON], tmp_path)}
    assert checks["nodejs"].state == "missing"
    assert "apt-get install nodejs" in checks["nodejs"].fix


def test_a_jre_alone_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For Java; Ruby needs nothing from the network."""
    monkeypatch.setenv("PATH", str(tmp_path))
    java = an_interpreter(
        kind="java", version=(17, 0, 1), executable=tmp_path / "bin/java", prefix=tmp_path
    )
    ruby = an_interpreter(
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
    isolation = Isolation(tier="root-no-cgroups", findings=findings)
    tier, checks = examine_isolation(SandboxSettings(), isolation)
    assert tier == "root-no-cgroups"
    assert [(check.name, check.state) for check in checks] == [
        ("isolation", "ok"),
        ("cgroups", "missing"),
    ]
    assert checks[0].found == "tier root-no-cgroups"
    assert checks[1].fix == "mount them"


def test_what_the_weakest_tier_cannot_keep(tmp_path: Path) -> None:
    """Is broken, as `lambent up` refuses to start with it."""
    flags = {"server.auth": ("--auth", "strict"), "server.data_dir": ("--set", str(tmp_path))}
    settings = load_settings(flags=flags).settings
    (check,) = check_promises("process", settings)
    assert check.state == "broken"
    assert "--auth strict" in check.found
    assert list(check_promises("rootless", settings)) == []
    allowed = load_settings(flags={**flags, "sandbox.allow_weak": ("--set", "true")}).settings
    assert list(check_promises("process", allowed)) == []


def test_no_isolation_is_broken() -> None:
    """As `lambent up` would refuse to start."""
    findings = (Finding(name="namespaces", is_there=False, found="refused", fix="allow them"),)
    tier, checks = examine_isolation(
        SandboxSettings(isolation="root"), Isolation(tier="process", findings=findings)
    )
    assert tier is None
    assert (checks[0].state, checks[0].fix) == ("broken", "allow them")


def test_what_fails_when_tried_is_broken(tmp_path: Path) -> None:
    """Whatever the kernel promised; with the exact error, the time, and a cure for this host."""
    steps = [
        Step(name="launcher", found="tier root", ms=12.5),
        Step(name="box", error="cannot make namespaces: Operation not permitted", ms=1.0),
    ]
    host = make_host(tmp_path, {"/.dockerenv": ""})
    good, bad = judge_trial(host, steps)
    assert (good.name, good.state, good.ms) == ("try: launcher", "ok", 12.5)
    assert (bad.state, bad.found) == ("broken", steps[1].error)
    assert bad.fix == "docker run --privileged IMAGE"
    report = DoctorReport(tier="root", checks=(good, bad))
    assert report.state == "broken"
    assert steps[1].error in report.summary


@pytest.mark.slow
def test_a_page_of_an_ubuntu_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user's namespaces are made and allow nothing: the page says that nothing runs,
    why, and both cures. (Files and the trial are made up: Ubuntu's kernel was not run.)"""
    tried: list[str] = []

    def try_box(settings: SandboxSettings, tier: str, place: Path) -> list[Step]:
        tried.append(tier)
        denied = "cannot start the launcher: cannot mount  on /: Permission denied"
        return [Step(name="launcher", error=denied, ms=9.0)]

    files = {
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
        "/sys/module/apparmor/parameters/enabled": "Y",
        "/etc/os-release": 'PRETTY_NAME="Ubuntu 24.04.1 LTS"',
    }
    isolation = Isolation(tier="rootless", findings=())
    monkeypatch.setattr("lambent.upkeep.doctor.detect", lambda: isolation)
    settings = load_settings(flags={"server.data_dir": ("--set", str(tmp_path / "data"))}).settings
    report = examine(settings, make_host(tmp_path / "host", files, uid=1000), try_box)
    assert tried == ["rootless"]
    assert report.state == "broken"
    assert report.summary.startswith("Lambent cannot run functions here: try: launcher: cannot")
    checks = {f"{check.section}/{check.name}": check for check in report.checks}
    assert checks["system/distribution"].found == "Ubuntu 24.04.1 LTS"
    for name in ("rights/user namespaces", "trial/try: launcher"):
        assert "sudo apparmor_parser -r /etc/apparmor.d/lambent" in checks[name].fix
        assert "kernel.apparmor_restrict_unprivileged_userns=0" in checks[name].fix


def test_cures_of_errors(tmp_path: Path) -> None:
    """Each error that a host is known for leads to the command that ends it."""
    apparmor = {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1"}
    denied = "cannot start the launcher: cannot mount  on /: Permission denied"
    ubuntu = make_host(tmp_path / "ubuntu", apparmor, uid=1000)
    assert "apparmor_parser -r /etc/apparmor.d/lambent" in cure_of(ubuntu, "launcher", denied)
    plain = make_host(tmp_path / "plain", uid=1000)
    assert cure_of(plain, "launcher", denied) == "run as root: sudo lambent up"
    nested = make_host(tmp_path / "nested", {"/proc/self/uid_map": "0 1000 1"})
    assert "user namespace" in cure_of(nested, "box", denied)
    fedora = make_host(tmp_path / "fedora", {"/sys/fs/selinux/enforce": "1"})
    assert "ausearch -m avc" in cure_of(fedora, "box", denied)
    old = "cannot restrict a mount: Function not implemented"
    assert "Linux 5.15" in cure_of(plain, "launcher", old)
    full = "cannot make namespaces: No space left on device"
    assert "user.max_user_namespaces" in cure_of(plain, "box", full)
    closed = "cannot start a process: /root/data/v1/var/task: Permission denied"
    assert "chmod o+x" in cure_of(plain, "program", closed)
    assert "mount --bind" in cure_of(plain, "launcher", "cannot mount  on /: Invalid argument")
    assert "LimitNOFILE" in cure_of(plain, "box", "Too many open files")


def test_what_a_box_must_hide() -> None:
    """A process that has capabilities, no filter or the host's namespaces is a failure."""
    kinds = ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup")
    ours = {kind: f"{kind}:[1]" for kind in kinds}
    own = "\n".join(f"{kind}:[2]" for kind in kinds)
    good = "\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"
    assert judge_isolation(own + good, ours, "root").endswith("own " + ", ".join(kinds))
    shared = own.replace("net:[2]", "net:[1]")
    with pytest.raises(Failed, match="shares namespaces with the host: net"):
        judge_isolation(shared + good, ours, "root")
    assert "net" not in judge_isolation(shared + good, ours, "process")
    for wrong in ("CapEff:\t0000000000000000", "Seccomp:\t2", "NoNewPrivs:\t1"):
        with pytest.raises(Failed):
            judge_isolation(own + good.replace(wrong, wrong[:-1] + "8"), ours, "root")


def test_why_a_start_is_weaker() -> None:
    """`lambent up` says the one cause and names doctor."""
    findings = (
        Finding(name="privileges", is_there=True, found="root"),
        Finding(name="cgroups", is_there=False, found="cannot be used", fix="mount them"),
    )
    isolation = Isolation(tier="root-no-cgroups", findings=findings)
    text = explain_weakness("root-no-cgroups", isolation)
    assert "(cgroups: cannot be used)" in text
    assert "`lambent doctor`" in text
    chosen = explain_weakness("rootless", Isolation(tier="root", findings=findings[:1]))
    assert "(sandbox.isolation asks for no more)" in chosen


def test_one_sentence() -> None:
    """The tier, what it means, and what would make it stronger."""
    missing = Check(name="cgroups", state="missing", found="cannot be used", section="isolation")
    report = DoctorReport(tier="rootless", checks=(missing,))
    assert report.summary.startswith("Isolation is rootless: every function in its own namespaces")
    assert report.summary.endswith("; stronger: cgroups: cannot be used.")
    assert report.state == "missing"
    user = Check(name="capabilities", state="missing", found="none, user 1000", section="rights")
    denied = Check(name="user namespaces", state="missing", found="denied", section="rights")
    report_of = {
        tier: DoctorReport(tier=tier, checks=(user, denied)) for tier in ("rootless", "process")
    }
    assert report_of["rootless"].summary.endswith("; stronger: capabilities: none, user 1000.")
    assert report_of["process"].summary.endswith("; stronger: user namespaces: denied.")
    assert DoctorReport(tier="root", checks=(user,)).summary.endswith("user and limits.")
    assert set(report.as_json()) == {"tier", "state", "summary", "checks"}
    assert set(report.as_json()["checks"][0]) == {"name", "state", "found", "fix", "ms", "section"}


def test_what_a_trial_leaves_is_reported(tmp_path: Path) -> None:
    """Files that stay are named."""
    (tmp_path / "left").mkdir()
    with pytest.raises(Failed, match="left behind"):
        residue.expect_nothing("0123456789ab", tmp_path / "left", patience_s=0)
    mine = residue.descendants(os.getpid())
    with pytest.raises(Failed, match=f"process {os.getpid()}"):
        residue.expect_nothing("0123456789ab", tmp_path / "none", mine, patience_s=0)
    another = {os.getpid(): "began before"}
    residue.expect_nothing("0123456789ab", tmp_path / "none", another)
