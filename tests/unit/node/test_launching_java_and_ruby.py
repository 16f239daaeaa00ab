"""Which JVM and which Ruby run a function, and with which options."""

from pathlib import Path

import pytest

from lambent.kit import machine
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.node.languages.java import jvm_options
from lambent.node.languages.language import PreparedRuntime
from lambent.node.languages.runtimes import RuntimeMissing, Runtimes
from lambent.sandbox.ports import Mount
from tests.factories import function_version
from tests.interpreters import an_interpreter


def prepared(kind: str, version: tuple[int, ...], prefix: Path | str) -> PreparedRuntime:
    """A prepared interpreter that needs not exist."""
    interpreter = an_interpreter(
        kind=kind, version=version, executable=Path(prefix, "bin", kind), prefix=Path(prefix)
    )
    return PreparedRuntime(
        interpreter=interpreter, directory=Path(f"/cache/{kind}{interpreter.line}")
    )


RUNTIMES = Runtimes(
    [
        prepared("java", (11, 0, 1), "/usr/lib/jvm/java-11-openjdk-amd64"),
        prepared("java", (17, 0, 1), "/opt/jdk-17"),
        prepared("ruby", (3, 9, 1), "/usr"),
        prepared("ruby", (3, 10, 1), "/opt/ruby-3.10"),
    ]
)


def function(
    runtime: str, *, environment: dict[str, str] | None = None, memory_mb: int = 512
) -> FunctionVersion:
    """A function of that runtime."""
    return function_version(
        key=FunctionKey("000000000000", "eu-west-1", "f"),
        version="7",
        architecture=machine.architecture(),
        runtime=runtime,
        handler="example.Handler",
        memory_mb=memory_mb,
        environment=environment,
        code_key="00",
    )


def java(runtime: str, **variables: str) -> FunctionVersion:
    """A Java function with 1000 MB."""
    return function(runtime, environment=variables, memory_mb=1000)


@pytest.mark.parametrize(
    ("runtime", "program"),
    [
        ("java17", "/var/lang/bin/java"),
        ("java17.al2023", "/var/lang/bin/java"),
        ("java11", "/usr/lib/jvm/java-11-openjdk-amd64/bin/java"),
        ("java8.al2", "/usr/lib/jvm/java-11-openjdk-amd64/bin/java"),
        ("java8", "/usr/lib/jvm/java-11-openjdk-amd64/bin/java"),
        ("java25", "/var/lang/bin/java"),
        ("ruby3.9", "/usr/bin/ruby"),
        ("ruby3.10", "/var/lang/bin/ruby"),
        ("ruby3.2", "/var/lang/bin/ruby"),
    ],
)
def test_the_version_named_or_another(tmp_path: Path, runtime: str, program: str) -> None:
    """For a missing JVM the oldest newer one is used, for a missing Ruby the newest."""
    launch = RUNTIMES.launch(function(runtime), tmp_path)
    assert launch.argv[0] == program
    assert launch.waiting_argv == ()


def test_java_is_launched_with_its_client(tmp_path: Path) -> None:
    """Installation, client and code are mounted; below them the launcher may mount."""
    launch = RUNTIMES.launch(java("java17"), tmp_path)
    assert launch.argv == (
        "/var/lang/bin/java",
        "-XX:MaxHeapSize=850m",
        "-XX:InitialHeapSize=125m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-Dfile.encoding=UTF-8",
        "-Djava.net.preferIPv4Stack=true",
        "-cp",
        "/var/runtime/client.jar",
        "lambent.runtime.Main",
    )
    assert {*launch.mounts, *launch.runtime_mounts} == {
        Mount(source=str(tmp_path), target="/var/task"),
        Mount(source="/cache/java17", target="/var/runtime"),
        Mount(source="/opt/jdk-17", target="/var/lang"),
    }
    assert {Path("/cache/java17"), Path("/opt/jdk-17")} <= set(RUNTIMES.mount_roots())


@pytest.mark.parametrize(
    ("own", "gone"),
    [
        ("-Xmx300m", ["-XX:MaxHeapSize", "-XX:InitialHeapSize"]),
        ("-Xms10m", ["-XX:InitialHeapSize"]),
        ("-XX:MaxRAMPercentage=50", ["-XX:MaxHeapSize", "-XX:InitialHeapSize"]),
        ("-XX:+UseG1GC", ["-XX:+UseSerialGC"]),
        ("-XX:-TieredCompilation -Dx=y", ["-XX:TieredStopAtLevel"]),
        ("-Dx=y", []),
    ],
)
def test_options_of_the_functions_own_count(own: str, gone: list[str]) -> None:
    """The command line would win over them, and two collectors are an error."""
    options = jvm_options(1000, {"JAVA_TOOL_OPTIONS": own})
    missing = set(jvm_options(1000, {})) - set(options)
    assert {option.partition("=")[0] for option in missing} == set(gone)


def test_ruby_finds_its_gems_and_library(tmp_path: Path) -> None:
    """Gems of the package and of layers; a Ruby outside of the system does not find its own library
    by itself."""
    arch = tmp_path / "lib/ruby/3.3.0/x86_64-linux"
    arch.mkdir(parents=True)
    (arch / "rbconfig.rb").touch()
    gems = "/var/task/vendor/bundle/ruby/3.4.0:/opt/ruby/gems/3.4.0"
    moved = Runtimes([prepared("ruby", (3, 3, 1), tmp_path)])
    launch = moved.launch(function("ruby3.4"), tmp_path)
    assert launch.argv == ("/var/lang/bin/ruby", "--disable-gems", "/var/runtime/bootstrap.rb")
    assert launch.environment == {
        "RUBYLIB": "/opt/ruby/lib:/var/lang/lib/ruby/3.3.0:/var/lang/lib/ruby/3.3.0/x86_64-linux",
        "GEM_PATH": gems,
        "GEM_HOME": "/var/runtime",
        "PWD": "/var/task",
        "SHLVL": "0",
    }
    launch = RUNTIMES.launch(function("ruby3.9", environment={"RUBYOPT": "-W0"}), tmp_path)
    assert launch.argv == ("/usr/bin/ruby", "/var/runtime/bootstrap.rb")
    assert launch.environment == {
        "RUBYLIB": "/opt/ruby/lib",
        "GEM_PATH": "/var/task/vendor/bundle/ruby/3.9.0:/opt/ruby/gems/3.9.0"
        ":/usr/lib/ruby/gems/3.9.0",
        "GEM_HOME": "/var/runtime",
        "PWD": "/var/task",
        "SHLVL": "0",
    }


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        ("java21", "install Java .apt install openjdk-21-jdk-headless. and restart"),
        ("ruby3.4", "install Ruby .apt install ruby or rbenv install 3.4. and restart"),
    ],
)
def test_a_host_without_them_says_so(tmp_path: Path, runtime: str, words: str) -> None:
    """With the ways to get them."""
    with pytest.raises(RuntimeMissing, match=words):
        Runtimes([]).launch(function(runtime), tmp_path)


def test_an_exec_wrapper_gets_the_command(tmp_path: Path) -> None:
    """As with every runtime that is not the function's own."""
    wrapped = java("java11", AWS_LAMBDA_EXEC_WRAPPER="/opt/wrap")
    launch = RUNTIMES.launch(wrapped, tmp_path)
    assert launch.argv[0] == "/bin/sh"
    assert launch.argv[3].endswith("/bin/java")
