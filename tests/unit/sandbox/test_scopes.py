"""Whether a group can be requested from systemd."""

from pathlib import Path

import pytest

from lambent.sandbox import scopes


def test_the_runtime_directory_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`su` and `sudo` keep `XDG_RUNTIME_DIR`, which the new user may not read: then systemd is not
    available, and the platform starts without scopes."""

    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(scopes, "_MANAGER", tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/systemd-run")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/0")
    monkeypatch.setattr(Path, "is_socket", refuse)
    scopes.limits.cache_clear()
    try:
        found, why = scopes.limits()
    finally:
        scopes.limits.cache_clear()
    assert found == ()
    assert "cannot ask a systemd of this user" in why
