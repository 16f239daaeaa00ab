"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli.completion import complete_function
from lambent.cli.output import UsageError

SWITCH = ""
"""The metavar of an option without a value; the help would show a type otherwise."""
Endpoint = Annotated[
    str,
    typer.Option(
        "--endpoint-url", envvar="LAMBENT_ENDPOINT", metavar="URL", help="Endpoint of the platform."
    ),
]
LOCAL = "http://127.0.0.1:5262"
"""The endpoint unless `--endpoint-url` or its variable says another."""
Json = Annotated[bool, typer.Option("--json", metavar=SWITCH, help="Print one JSON document.")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Name or ARN of the function.", autocompletion=complete_function
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", envvar="LAMBENT_CONFIG", help="Settings file, instead of ./lambent.toml."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Any setting, as `lambent config show` names it."
    ),
]
DataDir = Annotated[
    str | None, typer.Option("--data-dir", metavar="DIR", help="The platform's data directory.")
]


def load_for(data_dir: str | None, config: Path | None, settings: list[str] | None) -> Any:
    """The `Settings` of the platform in a data directory."""
    return load(config, settings, {"data-dir": data_dir}).settings


def load(config: Path | None, settings: list[str] | None, flags: dict[str, str | None]) -> Any:
    """`LoadedSettings` of all sources. `flags` maps the names of flags to their values; all but
    `services` belong to `[server]`."""
    from lambent.settings import SettingsError, load_settings

    given = {name: ("--set", text) for name, text in pairs(settings, "--set").items()}
    for flag, text in flags.items():
        if text is not None:
            is_switch = flag == "services"
            name = "services.enabled" if is_switch else "server." + flag.replace("-", "_")
            given[name] = (f"--{flag}", text)
    try:
        return load_settings(config_file=config, flags=given)
    except SettingsError as error:
        raise UsageError(str(error)) from error


def pairs(texts: list[str] | None, flag: str) -> dict[str, str]:
    pairs = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError(f"cannot use {flag} {text}: write {flag} NAME=VALUE")
        pairs[name] = value
    return pairs
