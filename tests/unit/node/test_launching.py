"""How a function is started: program, mounts, variables."""

import dataclasses
from pathlib import Path

import pytest

from lambent.kit import machine
from lambent.model.credentials import Credentials
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.limits import RESERVED_ENVIRONMENT_KEYS
from lambent.node.environment.variables import environment_variables
from lambent.node.languages.language import PreparedRuntime
from lambent.node.languages.launch import LaunchSpec
from lambent.node.languages.runtimes import RuntimeMissing, Runtimes, find_bootstrap
from lambent.sandbox.ports import Mount
from tests.factories import function_version
from tests.interpreters import an_interpreter

FUNCTION = function_version(
    key=FunctionKey("000000000000", "eu-west-1", "f"),
    version="7",
    architecture=machine.architecture(),
    memory_mb=256,
    code_key="00",
)


def prepared(kind: str, version: tuple[int, ...], prefix: str) -> PreparedRuntime:
    """A prepared interpreter that needs not exist."""
    name = f"python{version[0]}.{version[1]}" if kind == "python" else "node"
    interpreter = an_interpreter(
        kind=kind, version=version, executable=Path(prefix, "bin", name), prefix=Path(prefix)
    )
    return PreparedRuntime(interpreter=interpreter, directory=Path(f"/cache/{name}-{version[0]}"))


RUNTIMES = Runtimes(
    [
        prepared("python", (3, 11, 2), "/usr"),
        prepared("python", (3, 12, 1), "/opt/python-3.12"),
        prepared("node", (20, 1, 0), "/usr"),
        prepared("node", (22, 1, 0), "/opt/node-22"),
    ]
)


def function(runtime: str | None, **more: object) -> FunctionVersion:
    """A function of that runtime."""
    return dataclasses.replace(FUNCTION, runtime=runtime, **more)  # type: ignore[arg-type]


def test_an_interpreter_of_its_own_place_is_shown_at_var_lang(tmp_path: Path) -> None:
    """Prefix, prepared directory and code are mounted; `-S` keeps the host's packages out."""
    launch = RUNTIMES.launch(function("python3.12"), tmp_path)
    assert launch.argv == ("/var/lang/bin/python3.12", "-S", "/var/runtime/bootstrap.py")
    assert {*launch.mounts, *launch.runtime_mounts} == {
        Mount(source=str(tmp_path), target="/var/task"),
        Mount(source="/cache/python3.12-3", target="/var/runtime"),
        Mount(source="/opt/python-3.12", target="/var/lang"),
    }
    assert launch.log_pipe_variable == "_LAMBDA_TELEMETRY_LOG_FD"
    assert (launch.environment["PWD"], launch.environment["SHLVL"]) == ("/var/task", "0")


def test_an_interpreter_of_the_system_is_there_already(tmp_path: Path) -> None:
    """Every box shows /usr."""
    launch = RUNTIMES.launch(function("python3.11"), tmp_path)
    assert launch.argv[0] == "/usr/bin/python3.11"
    assert [mount.target for mount in launch.mounts] == ["/var/task"]
    assert [mount.target for mount in launch.runtime_mounts] == ["/var/runtime"]


def test_nodes_memory_follows_the_functions(tmp_path: Path) -> None:
    """Nine tenths for the old generation; packages where ES modules look for them."""
    launch = RUNTIMES.launch(function("nodejs20.x", memory_mb=1000), tmp_path)
    assert launch.argv[0] == "/usr/bin/node"
    assert "--max-old-space-size=900" in launch.argv
    assert launch.argv[-1] == "/var/runtime/bootstrap.cjs"
    packages = Mount(source="/cache/node-20/node_modules", target="/var/node_modules")
    assert packages in launch.runtime_mounts
    assert launch.environment["NODE_PATH"] == (
        "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules"
        ":/var/runtime:/var/task"
    )


@pytest.mark.parametrize(
    ("runtime", "program"),
    [
        ("nodejs20.x", "/usr/bin/node"),
        ("nodejs22.x", "/var/lang/bin/node"),
        ("nodejs18.x", "/var/lang/bin/node"),
        ("nodejs24.x", "/var/lang/bin/node"),
    ],
)
def test_node_is_the_same_major_or_the_newest(tmp_path: Path, runtime: str, program: str) -> None:
    """A major version that is not here runs on the newest that is."""
    assert RUNTIMES.launch(function(runtime), tmp_path).argv[0] == program


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        ("python3.14", ["python3.14", "install Python 3.14", "uv python install 3.14", "restart"]),
        ("dotnet8", ["dotnet8", "install"]),
        ("go1.x", ["go1.x"]),
        ("custom", ["custom"]),
        (None, ["container images"]),
    ],
)
def test_a_runtime_that_is_not_here_says_what_to_do(
    tmp_path: Path, runtime: str | None, words: list[str]
) -> None:
    """As AWS's InvalidRuntimeException."""
    version = function(runtime, package_type="Image" if runtime is None else "Zip")
    with pytest.raises(RuntimeMissing) as refused:
        RUNTIMES.launch(version, tmp_path)
    assert refused.value.code == "InvalidRuntimeException"
    assert all(word in refused.value.message for word in words), refused.value.message


def test_scripts_run_on_every_machine(tmp_path: Path) -> None:
    """Whatever the function's architecture is: a package may have no native code."""
    for architecture in ("x86_64", "arm64"):
        RUNTIMES.launch(function("python3.12", architecture=architecture), tmp_path)
        RUNTIMES.launch(function("provided.al2023", architecture=architecture), tmp_path)


def test_a_host_without_node_says_so(tmp_path: Path) -> None:
    """With the ways to get it."""
    with pytest.raises(RuntimeMissing, match=r"install Node.js 22 \(nvm install 22"):
        Runtimes([]).launch(function("nodejs22.x"), tmp_path)


def test_a_runtime_that_could_not_be_prepared_says_why(tmp_path: Path) -> None:
    """And it is not a root for mounts."""
    failed = dataclasses.replace(
        prepared("python", (3, 12, 1), "/opt/p"), directory=None, failure="pip: no route"
    )
    runtimes = Runtimes([failed])
    with pytest.raises(RuntimeMissing, match=r"could not be prepared: pip: no route; run `lambent"):
        runtimes.launch(function("python3.12"), tmp_path)
    assert runtimes.mount_roots() == ()


def test_mount_roots_cover_every_mount(tmp_path: Path) -> None:
    """The launcher allows nothing else."""
    roots = RUNTIMES.mount_roots()
    for runtime in ("python3.11", "python3.12", "nodejs20.x", "nodejs22.x"):
        for mount in RUNTIMES.launch(function(runtime), tmp_path).mounts:
            if mount.target != "/var/task":
                assert any(Path(mount.source).is_relative_to(root) for root in roots), mount
    assert not any(Path("/usr").is_relative_to(root) for root in roots)


def test_an_exec_wrapper_gets_the_command(tmp_path: Path) -> None:
    """AWS_LAMBDA_EXEC_WRAPPER, but not for OS-only functions."""
    wrapped = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}
    launch = RUNTIMES.launch(function("python3.12", environment=wrapped), tmp_path)
    assert launch.argv[:3] == ("/bin/sh", "-c", 'exec "$AWS_LAMBDA_EXEC_WRAPPER" "$0" "$@"')
    assert launch.argv[3] == "/var/lang/bin/python3.12"
    (tmp_path / "bootstrap").write_text("")
    (tmp_path / "bootstrap").chmod(0o755)
    launch = RUNTIMES.launch(function("provided.al2023", environment=wrapped), tmp_path)
    assert launch.argv == ("/var/task/bootstrap",)


def test_os_only_functions_bring_their_program(tmp_path: Path) -> None:
    """In the package, then in a layer; a file that is not executable does not count."""
    code, layers = tmp_path / "code", tmp_path / "layers"
    code.mkdir()
    layers.mkdir()
    assert find_bootstrap(code, layers) is None
    assert RUNTIMES.launch(function("provided.al2"), code).missing_entrypoint
    (layers / "bootstrap").write_text("")
    (layers / "bootstrap").chmod(0o755)
    assert find_bootstrap(code, layers) == "/opt/bootstrap"
    (code / "bootstrap").write_text("")
    (code / "bootstrap").chmod(0o644)
    assert find_bootstrap(code, layers) == "/opt/bootstrap"
    (code / "bootstrap").chmod(0o755)
    assert find_bootstrap(code, layers) == "/var/task/bootstrap"


# -- variables -------------------------------------------------------------------------------

CREDENTIALS = Credentials(
    access_key_id="ASIAEXAMPLE",
    secret_access_key="a secret that nobody may see",
    session_token="a token that nobody may see",
    expires_at=1.0,
)
LAUNCH = LaunchSpec(mounts=(), argv=(), environment={"PYTHONPATH": "/var/runtime"})


def variables(version: FunctionVersion) -> dict[str, str]:
    """All variables of an environment of it."""
    return environment_variables(
        version, launch=LAUNCH, log_stream="stream", credentials=CREDENTIALS
    )


def test_reserved_variables_are_awss() -> None:
    """Names and values."""
    found = variables(FUNCTION)
    expected = {
        "_HANDLER": "app.handler",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9002",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "PYTHONPATH": "/var/runtime",
        "TZ": ":UTC",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert not {"AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL"} & found.keys()
    assert "HOME" not in found


def test_a_user_may_override_defaults_and_nothing_else() -> None:
    """Reserved names and names that begin with an underscore are dropped."""
    own = {
        "COLOR": "blue",
        "PATH": "/mine",
        "PYTHONPATH": "/my/lib",
        "TZ": "Europe/Berlin",
        "AWS_ENDPOINT_URL": "https://example.com",
        "_LAMBDA_TELEMETRY_LOG_FD": "1",
        "_X_MINE": "1",
        **dict.fromkeys(RESERVED_ENVIRONMENT_KEYS, "stolen"),
    }
    found = variables(dataclasses.replace(FUNCTION, environment=own))
    kept = ("COLOR", "PATH", "PYTHONPATH", "TZ", "AWS_ENDPOINT_URL")
    assert {name: found[name] for name in kept} == {name: own[name] for name in kept}
    assert "stolen" not in found.values()
    assert not {"_LAMBDA_TELEMETRY_LOG_FD", "_X_MINE"} & set(found)


def test_credentials_are_the_role_s() -> None:
    """All three parts; none of them shows when the value is printed."""
    found = variables(FUNCTION)
    assert found["AWS_SECRET_ACCESS_KEY"] == CREDENTIALS.secret_access_key
    assert found["AWS_SESSION_TOKEN"] == CREDENTIALS.session_token
    assert CREDENTIALS.secret_access_key not in repr(CREDENTIALS)
    assert CREDENTIALS.session_token not in repr(CREDENTIALS)


def test_json_logging_sets_the_level() -> None:
    """Only with the JSON format."""
    logging = dataclasses.replace(
        FUNCTION.logging, log_format="JSON", application_log_level="DEBUG"
    )
    found = variables(dataclasses.replace(FUNCTION, logging=logging))
    assert (found["AWS_LAMBDA_LOG_FORMAT"], found["AWS_LAMBDA_LOG_LEVEL"]) == ("JSON", "DEBUG")


def test_os_only_functions_have_no_execution_environment() -> None:
    """AWS_EXECUTION_ENV is not set for provided.*."""
    assert "AWS_EXECUTION_ENV" not in variables(function("provided.al2023"))
