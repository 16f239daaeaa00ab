"""Settings: names, sources, types, and what is shown of them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from lambent.settings import SettingsError, all_settings, load_settings


def load(tmp_path: Path, toml: str | None = None, **more: Any) -> Any:
    """Load with a file of the given text, or with none."""
    config = None
    if toml is not None:
        config = tmp_path / "lambent.toml"
        config.write_text(toml)
    return load_settings(config_file=config, **{"environment": {}, **more})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lambent.toml of the checkout is read by accident."""
    monkeypatch.chdir(tmp_path)


def test_every_setting_has_a_default_and_a_known_type(tmp_path: Path) -> None:
    """Nothing has to be set, and whatever is shown is JSON."""
    loaded = load(tmp_path)
    assert set(loaded.sources.values()) == {"default"}
    assert json.loads(json.dumps(loaded.shown()))["server.port"] == 5262
    for setting in all_settings():
        default = {f.name: f for f in dataclasses.fields(setting.slice)}[setting.field]
        assert (
            default.default is not dataclasses.MISSING
            or default.default_factory is not dataclasses.MISSING
        ), setting.name


def test_later_sources_win(tmp_path: Path) -> None:
    """Defaults, then the file, then the environment, then flags; each value tells its source."""
    toml = '[server]\nport = 1\nhost = "::1"\n[store]\nurl = "sqlite:///x"\n'
    loaded = load(
        tmp_path,
        toml,
        environment={"LAMBENT_SERVER__PORT": "2", "LAMBENT_SERVER__HOST": "127.0.0.2", "HOME": "/"},
        flags={"server.port": ("--port", "3")},
    )
    assert loaded.settings.server.port == 3
    assert loaded.settings.server.host == "127.0.0.2"
    assert loaded.settings.store.url == "sqlite:///x"
    assert loaded.sources["server.port"] == "--port"
    assert loaded.sources["server.host"] == "LAMBENT_SERVER__HOST"
    assert loaded.sources["store.url"] == str(tmp_path / "lambent.toml")
    assert loaded.sources["store.synchronous"] == "default"


def test_lambent_toml_of_the_working_directory_is_read(tmp_path: Path) -> None:
    """Unless another file is named, by flag or by variable."""
    (tmp_path / "lambent.toml").write_text("[server]\nport = 7\n")
    (tmp_path / "other.toml").write_text("[server]\nport = 8\n")
    named = {"LAMBENT_CONFIG": str(tmp_path / "other.toml")}
    assert load_settings(environment={}).settings.server.port == 7
    assert load_settings(environment=named).settings.server.port == 8


def test_nested_sections(tmp_path: Path) -> None:
    """`[aws.s3]` in the file is `LAMBENT_AWS__S3__` in the environment."""
    loaded = load(
        tmp_path,
        '[aws.s3]\nendpoint_url = "http://one"\nconnect_timeout_s = 2\n',
        environment={"LAMBENT_AWS__S3__ENDPOINT_URL": "http://two"},
    )
    assert loaded.settings.aws.s3.endpoint_url == "http://two"
    assert loaded.settings.aws.s3.connect_timeout_s == 2.0


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[server]\nprot = 1\n", ["server.prot", "lambent.toml", "server.port"]),
        ("[sever]\nport = 1\n", ["sever", "lambent.toml", "Did you mean"]),
        ("port = 1\n", ["port", "server.port"]),
        ("server = 1\n", ["server", "must be a table"]),
        ('[server]\nport = "80"\nhost = 1\n', ["server.host", "text in quotes"]),
        ("[server]\nport = true\n", ["server.port", "True", "a whole number"]),
        ("[server]\nport = 65536\n", ["server.port", "65536", "0 to 65535"]),
        ("[server]\nport = -1\n", ["server.port", "-1"]),
        ("[worker]\ninit_limit_s = nan\n", ["worker.init_limit_s", "a number"]),
        ("[egress]\nallow = 1\n", ["egress.allow", "a list"]),
        ("[egress]\nallow = [1]\n", ["egress.allow", "text in quotes"]),
        ("[egress]\nenabled = 1\n", ["egress.enabled", "true or false"]),
        ("[server\n", ["lambent.toml", "TOML"]),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, toml: str, words: list[str]) -> None:
    """The error names the setting, the source and what would be right."""
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, toml)
    assert all(word in str(refused.value) for word in words), str(refused.value)


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("LAMBENT_SERVER__PROT", "1", ["LAMBENT_SERVER__PROT", "LAMBENT_SERVER__PORT"]),
        ("LAMBENT_PORT", "1", ["LAMBENT_PORT", "LAMBENT_SERVER__PORT"]),
        ("LAMBENT_SERVER__PORT", "eighty", ["LAMBENT_SERVER__PORT", "eighty", "whole number"]),
        ("LAMBENT_EGRESS__ENABLED", "maybe", ["LAMBENT_EGRESS__ENABLED", "true or false"]),
        ("LAMBENT_SERVER__DATA_DIR", "", ["LAMBENT_SERVER__DATA_DIR", "a path"]),
    ],
)
def test_mistakes_in_the_environment(
    tmp_path: Path, variable: str, text: str, words: list[str]
) -> None:
    """The same, in the words of the environment."""
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, environment={variable: text})
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_text_becomes_the_settings_type(tmp_path: Path) -> None:
    """Variables hold text; numbers, truth values, lists and paths are read from it."""
    loaded = load(
        tmp_path,
        environment={
            "LAMBENT_EGRESS__ENABLED": "No",
            "LAMBENT_EGRESS__ALLOW": "192.0.2.1/32, 192.0.2.2/32",
            "LAMBENT_WORKER__INIT_LIMIT_S": "1.5",
            "LAMBENT_SERVER__DATA_DIR": "data",
        },
    ).settings
    assert loaded.egress.enabled is False
    assert loaded.egress.allow == ("192.0.2.1/32", "192.0.2.2/32")
    assert loaded.worker.init_limit_s == 1.5
    assert loaded.server.data_dir == tmp_path / "data"


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    """No silent fall-back to the defaults."""
    with pytest.raises(SettingsError, match=r"gone\.toml"):
        load_settings(config_file=tmp_path / "gone.toml", environment={})


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    """Not in what `config show` prints and not in an error about the value."""
    url = "postgresql://me:hunter2@db/lambent"
    shown = load(tmp_path, environment={"LAMBENT_STORE__URL": url}).shown()["store.url"]
    assert shown == "postgresql://me:***@db/lambent"
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, f'[server]\nport = "{url}"\n')
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, True),
        ({"server.host": "::1"}, True),
        ({"server.host": "localhost"}, True),
        ({"server.host": "0.0.0.0", "server.auth": "strict"}, False),
        ({"server.host": "0.0.0.0", "server.auth": "strict", "console.enabled": "true"}, True),
        ({"console.enabled": "false"}, False),
        ({"console.enabled": ""}, True),
    ],
)
def test_the_console_is_on_where_only_this_machine_reaches_it(
    flags: dict[str, str], expected: bool
) -> None:
    given = {name: (f"--set {name}", text) for name, text in flags.items()}
    assert load_settings(environment={}, flags=given).settings.has_console is expected
