"""Packages are built by what their files say: real pip, uv, esbuild and npm."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lambent.cli.build import Source, make_package
from lambent.cli.output import CliError, UsageError
from tests.packages import INSTALLED

from .conftest import write

pytestmark = pytest.mark.slow

PYTHON = f"python3.{sys.version_info.minor}"
HANDLER = "import greeting\ndef handler(e, c): return greeting.WORDS\n"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of two wheels, the only one that pip and uv know."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    for name in ("greeting", "pytester"):
        write_wheel(directory, name, "any", "WORDS = 'hello'\n")
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, str(directory))
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")
    for name in ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return directory


def write_wheel(directory: Path, name: str, platform: str, text: str) -> None:
    """A wheel with one module."""
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-{platform}.whl", "w") as wheel:
        info = f"{name}-1.0.dist-info"
        wheel.writestr(f"{name}.py", text)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: py3-none-{platform}\n")
        wheel.writestr(f"{info}/RECORD", "")


def names(source: Source) -> list[str]:
    """The files of the package."""
    with zipfile.ZipFile(io.BytesIO(make_package(source, lambda _: None))) as archive:
        return sorted(archive.namelist())


def python(directory: Path) -> Source:
    return Source("F", directory, PYTHON, "app.handler")


def test_requirements(tmp_path: Path, wheels: Path) -> None:
    """Installed beside the code; the source stays as it is, and the package is the same again."""
    code = write(tmp_path / "code", {"app.py": HANDLER, "requirements.txt": "greeting"})
    found = names(python(code))
    assert {"app.py", "greeting.py", "requirements.txt"} <= set(found)
    assert sorted(path.name for path in code.iterdir()) == ["app.py", "requirements.txt"]
    source = python(code)
    assert make_package(source, lambda _: None) == make_package(source, lambda _: None)
    (code / "requirements.txt").write_text("not-there-at-all")
    with pytest.raises(CliError, match="not-there-at-all"):
        names(python(code))


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_wheels_for_linux_from_elsewhere(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    """On macOS the wheels of the function are those for Linux."""
    for system in ("manylinux_2_28", "macosx_11_0"):
        write_wheel(wheels, "native", f"{system}_aarch64", f"SYSTEM = {system!r}\n")
    path = "/usr/bin:/bin"
    if tool == "uv":
        path = f"{INSTALLED / 'builders' / 'bin'}:{path}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr("lambent.cli.build_tools.sys.platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    code = write(tmp_path / "code", {"app.py": HANDLER, "requirements.txt": "native"})
    with zipfile.ZipFile(io.BytesIO(make_package(python(code), lambda _: None))) as archive:
        assert archive.read("native.py") == b"SYSTEM = 'manylinux_2_28'\n"


def test_what_is_installed_already(tmp_path: Path) -> None:
    """Is not installed again."""
    files = {"app.py": HANDLER, "requirements.txt": "no-such", "greeting-1.dist-info/METADATA": ""}
    assert "greeting-1.dist-info/METADATA" in names(python(write(tmp_path / "a", files)))
    files = {"app.py": HANDLER, "requirements.txt": "x", ".lambentignore": "requirements.txt"}
    assert names(python(write(tmp_path / "b", files))) == ["app.py"]


def test_dependencies_of_pyproject(tmp_path: Path, wheels: Path) -> None:
    files = {"app.py": HANDLER, "pyproject.toml": '[project]\ndependencies = ["greeting"]\n'}
    assert "greeting.py" in names(python(write(tmp_path / "code", files)))


def test_a_lock_of_uv(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its versions are installed, without those for development; without uv the error says so."""
    toml = """
        [project]
        name = "code"
        version = "1"
        requires-python = ">=3.11"
        dependencies = ["greeting"]
        [dependency-groups]
        dev = ["pytester"]
    """
    code = write(tmp_path / "code", {"app.py": HANDLER, "pyproject.toml": toml})
    path = "/usr/bin:/bin"
    uv = INSTALLED / "builders" / "bin"
    subprocess.run([uv / "uv", "lock", "--quiet"], cwd=code, check=True, timeout=60)
    monkeypatch.setenv("PATH", path)
    with pytest.raises(UsageError, match="uv is not installed"):
        names(python(code))
    monkeypatch.setenv("PATH", f"{uv}:{path}")
    found = names(python(code))
    assert "greeting.py" in found
    assert "pytester.py" not in found


def test_typescript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler in TypeScript is bundled by esbuild; a type error of the syntax is an error."""
    files = {
        "app.ts": "import { words } from './words';\n"
        "type Event = { who: string };\n"
        "export const handler = async (event: Event): Promise<string> => words + event.who;",
        "words.ts": "export const words: string = 'hello ';",
    }
    source = Source("F", write(tmp_path, files), "nodejs20.x", "app.handler")
    with pytest.raises(UsageError, match="npm install --save-dev esbuild"):
        names(source)
    (tmp_path / "node_modules").symlink_to(INSTALLED / "esbuild" / "node_modules")
    assert names(source) == ["app.js", "app.js.map"]
    package = make_package(source, lambda _: None)
    write(tmp_path / "out", {})
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        archive.extractall(tmp_path / "out")
    script = "require('./app.js').handler({who: 'you'}).then(console.log)"
    done = subprocess.run(
        ["node", "-e", script], cwd=tmp_path / "out", capture_output=True, timeout=60
    )
    assert done.stdout == b"hello you\n"
    write(tmp_path, {"app.ts": "export const handler ="})
    with pytest.raises(CliError, match="esbuild failed"):
        names(source)


def test_packages_of_node(tmp_path: Path) -> None:
    """`npm install` runs in the copy; a package from a directory needs no registry."""
    write(tmp_path / "lib", {"package.json": '{"name": "lib", "version": "1.0.0"}', "index.js": ""})
    files = {
        "app.mjs": "export const handler = async () => 1;",
        "package.json": '{"dependencies": {"lib": "file:LIB"}}'.replace(
            "LIB", str(tmp_path / "lib")
        ),
    }
    source = Source("F", write(tmp_path / "code", files), "nodejs20.x", "app.handler")
    assert "node_modules/lib/package.json" in names(source)
    assert not (tmp_path / "code" / "node_modules").exists()


def test_go_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says where Go is available."""
    files = {"go.mod": "module hello", "main.go": "package main"}
    source = Source("F", write(tmp_path / "code", files), "provided.al2023", "bootstrap")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"go is not installed .*go.dev"):
        names(source)


def test_secrets_of_a_built_package(tmp_path: Path, wheels: Path) -> None:
    """`.lambentignore` decides for a package that is built as for one that is not."""
    files = {"app.py": HANDLER, "requirements.txt": "greeting", ".env": "A=1", "notes.txt": ""}
    code = write(tmp_path / "code", files)
    assert ".env" not in names(python(code))
    write(code, {".lambentignore": "!.env\nnotes.txt\n"})
    found = names(python(code))
    assert ".env" in found
    assert "notes.txt" not in found
