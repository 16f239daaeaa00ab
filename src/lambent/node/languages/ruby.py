"""Ruby functions: our runtime client, AWS's SDK where gems are available, and where Ruby finds
both."""

import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.kit.installing import InstallFailed, run_step
from lambent.model.function import FunctionVersion
from lambent.node.languages.language import (
    Interpreter,
    Language,
    Missing,
    PreparedRuntime,
    fingerprints,
)
from lambent.node.languages.launch import (
    LAYERS_ROOT,
    LOG_PIPE_VARIABLE,
    OF_A_SHELL,
    RUNTIME_DIR,
    TASK_ROOT,
    LaunchSpec,
    runtime_mounts,
    shown_prefix,
    shown_program,
)
from lambent.node.languages.search import directories, glob, json_of
from lambent.sandbox.ports import Mount

logger = logging.getLogger(__name__)

_PROBE = (
    "--disable-gems",
    "-rrbconfig",
    "-e",
    "p [RUBY_ENGINE, RUBY_VERSION.split('.').map(&:to_i), RbConfig.ruby,"
    " RbConfig::CONFIG['prefix']]",
)
_SDK = "aws-sdk"
_SDK_DEADLINE_S = 300.0
_LAYERS = f"{LAYERS_ROOT}/ruby"


class Ruby(Language):
    """`ruby3.3` runs on the host's Ruby 3.3 or, if there is none, on its newest Ruby."""

    name = "ruby"
    folder = "ruby"
    runtime_pattern = re.compile(r"ruby(\d+\.\d+)")
    oldest = (2, 7)
    line_parts = 2
    step = "AWS's SDK, with gem"
    needs_network = False
    missing = Missing("ruby", "no Ruby 2.7 or newer", "install Ruby, such as: apt-get install ruby")

    def places(
        self, environment: Mapping[str, str], home: Path, system: Sequence[Path]
    ) -> Iterator[Path]:
        """Includes those of rbenv."""
        rbenv = Path(environment.get("RBENV_ROOT") or home / ".rbenv")
        for directory in directories(environment, system):
            yield from glob(directory, "ruby", "ruby[0-9].[0-9]")
        yield from glob(rbenv, "versions/*/bin/ruby")

    def probe(self, program: Path) -> Any:
        """Ruby prints an array as JSON."""
        return json_of(program, _PROBE)

    def choose(self, wanted: str, lines: Collection[str]) -> str:
        """The same line, or else the newest."""
        return wanted if wanted in lines else max(lines, key=_numbers)

    def how_to_install(self, wanted: str) -> str:
        """With a version manager, or from the distribution."""
        return f"install Ruby (apt install ruby or rbenv install {wanted})"

    def requirements(self, interpreter: Interpreter) -> tuple[str, ...]:
        """The SDK and our own files belong together, so each version of them has its own
        directory."""
        return (_SDK, *fingerprints(self.client_files().values()))

    def prepare(self, interpreter: Interpreter, target: Path) -> None:
        """Install the SDK if gems are available. A function can contain it, so its absence is not a
        failure."""
        beside = interpreter.executable.parent
        gem = shutil.which("gem", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
        if gem is None:
            return
        options = ["--no-document", "--install-dir", str(target)]
        try:
            run_step("gem", [gem, "install", *options, _SDK], deadline_s=_SDK_DEADLINE_S)
        except InstallFailed as error:
            logger.warning("ruby%s has no AWS SDK: %s", interpreter.line, error)

    def launch(
        self, prepared: PreparedRuntime, function: FunctionVersion, code: Path, package: Mount
    ) -> LaunchSpec:
        """The client loads RubyGems, unless the function has its own options, which may load code
        that needs it."""
        assert prepared.directory is not None
        interpreter = prepared.interpreter
        variables = function.environment or {}
        options = () if variables.get("RUBYOPT") else ("--disable-gems",)
        shown = shown_prefix(interpreter.prefix)
        program = shown_program(interpreter.executable, interpreter.prefix)
        return LaunchSpec(
            mounts=(package,),
            runtime_mounts=runtime_mounts(prepared.directory, interpreter.prefix),
            argv=(program, *options, f"{RUNTIME_DIR}/bootstrap.rb"),
            environment={
                **_variables(function.runtime or "", interpreter.line, interpreter.prefix, shown),
                **OF_A_SHELL,
            },
            log_pipe_variable=LOG_PIPE_VARIABLE,
        )


def _variables(runtime: str, line: str, prefix: Path, shown: Path) -> dict[str, str]:
    """Variables of functions of `runtime`, which run on a Ruby of `line`.

    `prefix` is where that Ruby is on the host, `shown` where it is in a box. Under another path it
    does not find its own library by itself. In the system's Ruby, it does not find its bundled
    gems, because distributions store them elsewhere.
    """
    wanted = runtime.removeprefix("ruby")
    libraries = [f"{_LAYERS}/lib"]
    gems = [f"{TASK_ROOT}/vendor/bundle/ruby/{wanted}.0", f"{_LAYERS}/gems/{wanted}.0"]
    if prefix == shown:
        gems.append(f"{prefix}/lib/ruby/gems/{line}.0")
    else:
        own = Path("lib/ruby") / f"{line}.0"
        machines = [path.parent.name for path in sorted((prefix / own).glob("*/rbconfig.rb"))]
        libraries += [str(shown / own / part) for part in ("", *machines)]
    return {
        "RUBYLIB": os.pathsep.join(libraries),
        "GEM_PATH": os.pathsep.join(gems),
        "GEM_HOME": RUNTIME_DIR,
    }


def _numbers(line: str) -> tuple[int, ...]:
    return tuple(int(part) for part in line.split("."))
