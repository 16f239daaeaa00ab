"""A language is one file and one line in the registry, as docs/adding-a-language.md shows."""

import re
import runpy
import shutil
from pathlib import Path

import pytest

from lambent.node.languages import interpreters, preparing, registry, runtimes
from lambent.node.languages.interpreters import find_interpreters
from lambent.node.languages.preparing import outdated_runtimes, prepare_runtimes, runtime_name
from lambent.node.languages.runtimes import RuntimeMissing, Runtimes
from tests.unit.node.test_launching import function

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-language.md"


def test_the_example_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its interpreter is found, prepared and started; its identifiers are known."""
    module, line, *_ = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    example = tmp_path / "registry.py"
    example.write_text(f"{module}\nfrom lambent.node.languages.registry import *\n{line}")
    languages = runpy.run_path(str(example))["LANGUAGES"]
    for user in (interpreters, preparing, registry, runtimes):
        monkeypatch.setattr(user, "LANGUAGES", languages)
    by_name = {language.name: language for language in languages}
    monkeypatch.setattr(registry, "LANGUAGE_BY_NAME", by_name)

    # Replaces .NET: it has a version, which is all that the example needs.
    program = tmp_path / "dotnet-home" / "dotnet"
    program.parent.mkdir()
    shutil.copy("/bin/echo", program)
    home = tmp_path / "home"
    environment = {"PATH": str(program.parent)}
    found = find_interpreters(environment, home=home, system=())
    assert [(made.kind, made.executable) for made in found] == [("dotnet", program)]

    cache = tmp_path / "cache"
    prepared = prepare_runtimes(found, cache)
    assert prepared[0].failure is None
    assert outdated_runtimes(cache) == []
    host = Runtimes(prepared)
    launch = host.launch(function(f"dotnet{found[0].line}"), tmp_path / "code")
    assert launch.argv == ("/var/lang/dotnet", "/var/runtime/client.dll")
    assert [mount.target for mount in launch.runtime_mounts] == ["/var/runtime", "/var/lang"]
    assert runtime_name(found[0]) == f"dotnet{found[0].line}"
    assert set(host.mount_roots()) == {prepared[0].directory, program.parent}
    with pytest.raises(RuntimeMissing, match="apt install dotnet-sdk-8"):
        Runtimes(()).launch(function("dotnet8"), tmp_path / "code")
