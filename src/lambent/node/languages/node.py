"""Node.js functions: our runtime client, and all packages of AWS's SDK."""

import json
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
    CLIENTS,
    Interpreter,
    Language,
    Missing,
    PreparedRuntime,
)
from lambent.node.languages.launch import (
    LOG_PIPE_VARIABLE,
    OF_A_SHELL,
    OWN_CERTIFICATE,
    RUNTIME_DIR,
    TASK_ROOT,
    LaunchSpec,
    runtime_mounts,
    shown_program,
)
from lambent.node.languages.search import directories, glob, json_of
from lambent.sandbox.ports import Mount

logger = logging.getLogger(__name__)

_PROBE = (
    "-p",
    "JSON.stringify(['node', process.versions.node.split('.').map(Number), process.execPath,"
    " null])",
)
_SDK_RANGE = "^3"
_CORE_OF_SDK = (
    "client-cloudwatch-logs",
    "client-dynamodb",
    "client-eventbridge",
    "client-kinesis",
    "client-lambda",
    "client-s3",
    "client-secrets-manager",
    "client-sns",
    "client-sqs",
    "client-ssm",
    "client-sts",
    "lib-dynamodb",
)
"""What most functions use: installed alone when one of the other packages is not available."""
_UNUSED_OF_SDK = ("dist-es", "dist-types")
"""Folders of the SDK's packages that Node.js never reads: six sevenths of their size."""
_HEAP_SHARE, _YOUNG_SHARE = 0.9, 0.05
"""Shares of the function's memory for Node's old and young generation, as in AWS."""


class Node(Language):
    """`nodejs20.x` runs on the host's Node 20 or, if there is none, on its newest Node."""

    name = "node"
    folder = "nodejs"
    runtime_pattern = re.compile(r"nodejs(\d+)\.x")
    oldest = (20,)
    line_parts = 1
    landmarks = ("include/node", "lib/node_modules")
    step = "AWS's SDK, with npm"
    missing = Missing(
        "nodejs",
        "no Node.js 20 or newer",
        "install Node.js and npm, such as: apt-get install nodejs npm",
    )

    def places(
        self, environment: Mapping[str, str], home: Path, system: Sequence[Path]
    ) -> Iterator[Path]:
        """Includes those of nvm and n."""
        nvm = Path(environment.get("NVM_DIR") or home / ".nvm")
        n = Path(environment.get("N_PREFIX") or "/usr/local") / "n"
        for directory in directories(environment, system):
            yield from glob(directory, "node", "nodejs")
        yield from glob(nvm, "versions/node/*/bin/node")
        yield from glob(n, "versions/node/*/bin/node")

    def probe(self, program: Path) -> Any:
        """Node does not name its prefix."""
        return json_of(program, _PROBE)

    def choose(self, wanted: str, lines: Collection[str]) -> str:
        """The same line, or else the newest."""
        return wanted if wanted in lines else max(lines, key=int)

    def how_to_install(self, wanted: str) -> str:
        """With a version manager, or from the distribution."""
        return f"install Node.js {wanted} (nvm install {wanted}, n {wanted} or apt install nodejs)"

    def requirements(self, interpreter: Interpreter) -> tuple[str, ...]:
        """The packages of AWS's SDK."""
        names = (CLIENTS / "nodejs_sdk.txt").read_text().split()
        return tuple(f"@aws-sdk/{name}@{_SDK_RANGE}" for name in names)

    def client_files(self) -> Mapping[str, Path]:
        """Includes packages that functions can import."""
        packages = CLIENTS / self.folder / "packages"
        files = [file for file in sorted(packages.rglob("*")) if file.is_file()]
        shown = {f"node_modules/{file.relative_to(packages)}": file for file in files}
        return {**super().client_files(), **shown}

    def missing_tools(self) -> Iterator[Missing]:
        """Distributions have a separate package for npm."""
        if shutil.which("npm") is None:
            fix = "install npm, such as: apt-get install npm"
            yield Missing("npm", "no npm to prepare Node.js with", fix)

    def prepare(self, interpreter: Interpreter, target: Path) -> None:
        """With the interpreter's own npm, if it has one."""
        beside = interpreter.executable.parent
        npm = shutil.which("npm", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
        if npm is None:
            raise InstallFailed("npm is not installed")
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"]
        environment = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"}

        def install(requirements: Sequence[str]) -> None:
            packages = dict(requirement.rsplit("@", 1) for requirement in requirements)
            described = {"name": "lambent-runtime", "private": True, "dependencies": packages}
            (target / "package.json").write_text(json.dumps(described, indent=2))
            run_step("npm", [npm, "install", *options], cwd=target, environment=environment)

        try:
            install(self.requirements(interpreter))
        except InstallFailed as error:
            logger.warning("nodejs%s has a part of the SDK only: %s", interpreter.line, error)
            install([f"@aws-sdk/{name}@{_SDK_RANGE}" for name in _CORE_OF_SDK])
        for scope in ("@aws-sdk", "@smithy"):
            for package in (target / "node_modules" / scope).glob("*"):
                for folder in _UNUSED_OF_SDK:
                    shutil.rmtree(package / folder, ignore_errors=True)

    def launch(
        self, prepared: PreparedRuntime, function: FunctionVersion, code: Path, package: Mount
    ) -> LaunchSpec:
        """The heap's size depends on the function's memory."""
        assert prepared.directory is not None
        interpreter = prepared.interpreter
        # The packages once more, where ES modules look for packages that the function does not
        # contain.
        packages = Mount(source=f"{prepared.directory}/node_modules", target="/var/node_modules")
        major = re.sub(r"\D", "", function.runtime or "")
        paths = (f"/opt/nodejs/node{major}", "/opt/nodejs", RUNTIME_DIR)
        program = (
            shown_program(interpreter.executable, interpreter.prefix),
            f"--max-old-space-size={int(function.memory_mb * _HEAP_SHARE)}",
            f"--max-semi-space-size={int(function.memory_mb * _YOUNG_SHARE)}",
        )
        return LaunchSpec(
            mounts=(package,),
            runtime_mounts=(*runtime_mounts(prepared.directory, interpreter.prefix), packages),
            argv=(*program, f"{RUNTIME_DIR}/bootstrap.cjs"),
            waiting_argv=(*program, f"{RUNTIME_DIR}/waiting.cjs"),
            environment={
                "NODE_PATH": os.pathsep.join(
                    (*(f"{path}/node_modules" for path in paths), RUNTIME_DIR, TASK_ROOT)
                ),
                # Node has certificates of its own. bootstrap.cjs hides the variable.
                "NODE_EXTRA_CA_CERTS": OWN_CERTIFICATE,
                **OF_A_SHELL,
            },
            log_pipe_variable=LOG_PIPE_VARIABLE,
        )
