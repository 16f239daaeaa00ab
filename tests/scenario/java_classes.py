"""The Java functions of the tests, compiled as users compile theirs.

The interfaces they use are the runtime's own, which AWS's library contains too.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

import lambent

INTERFACES = Path(lambent.__file__).parent / "runtimes/java"
SOURCES = Path(__file__).parent / "java"
OPTIONS = {"Runtime": "java17"}
needs_jdk = pytest.mark.skipif(
    shutil.which("javac") is None, reason="needs a JDK: apt install openjdk-17-jdk-headless"
)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The compiled functions and the interfaces they use."""
    built = tmp_path_factory.mktemp("classes")
    sources = [str(path) for path in sorted(SOURCES.rglob("*.java"))]
    release = ["--release", "17", "-implicit:class", "-sourcepath", str(INTERFACES)]
    subprocess.run(["javac", "-nowarn", *release, "-d", str(built), *sources], check=True)
    return {str(path.relative_to(built)): path.read_bytes() for path in built.rglob("*.class")}


@pytest.fixture(scope="session")
def classes(compiled: dict[str, bytes]) -> dict[str, bytes]:
    """A package of the functions and of the libraries they use, without the interfaces."""
    own = ("example/", "org/", "com/amazonaws/services/lambda/runtime/events/")
    return {name: code for name, code in compiled.items() if name.startswith(own)}
