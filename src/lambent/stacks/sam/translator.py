"""Translates templates of AWS's Serverless Application Model, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.abc

from lambent.kit import strict_json
from lambent.kit.tasks import start_part
from lambent.stacks.template.errors import TransformFailed
from lambent.stacks.template.template import SERVERLESS

_PROGRAM = Path(__file__).with_name("program.py")
_DEADLINE_S = 45.0
"""On an idle machine a translation takes a second; all transforms of a template have 50."""
_END_S = 1.0
"""Seconds from the end of its output to the end of the process."""
_MEMORY_BYTES = 512 << 20
_AT_ONCE = 2
_RESULT_BYTES_MAX = 8 << 20
"""A template of a megabyte becomes one of a few."""
_TEXT_MAX = 2_000


class SamTranslator:
    """Runs the translator's program."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def translate(
        self, template: Mapping[str, Any], parameters: Mapping[str, Any], region: str
    ) -> Mapping[str, Any]:
        """The template without resources `AWS::Serverless::…`. `parameters` are the values of its
        parameters, defaults included. Raises `TransformFailed` for a template that AWS would
        refuse, and for one that takes too long."""
        request = {"template": template, "parameters": parameters, "region": region}
        try:
            document = json.dumps(request).encode()
        except RecursionError as error:
            raise _failed("the template is nested too deeply") from error
        async with self._limiter:
            with anyio.move_on_after(_DEADLINE_S):
                return _read(await self._run(document))
        raise _failed(f"the translation takes longer than {_DEADLINE_S:.0f} seconds")

    async def _run(self, document: bytes) -> bytes:
        with anyio.CancelScope(shield=True):  # A start that is cancelled would leave a process.
            process = await anyio.open_process(
                [sys.executable, "-I", "-B", str(_PROGRAM), str(_MEMORY_BYTES)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )
        try:
            async with anyio.create_task_group() as tasks:
                start_part(tasks, _send, process, document)
                output = await _receive(process)
                tasks.cancel_scope.cancel()
            with anyio.move_on_after(_END_S):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            with anyio.CancelScope(shield=True):
                await process.aclose()
        if len(output) > _RESULT_BYTES_MAX:
            raise _failed("the translated template is too large")
        return output


async def _send(process: anyio.abc.Process, document: bytes) -> None:
    assert process.stdin is not None
    try:
        await process.stdin.send(document)
        await process.stdin.aclose()
    except (OSError, anyio.BrokenResourceError):
        return  # It has ended; its output says so.


async def _receive(process: anyio.abc.Process) -> bytes:
    assert process.stdout is not None
    received = bytearray()
    async for chunk in process.stdout:
        received += chunk
        if len(received) > _RESULT_BYTES_MAX:
            break
    return bytes(received)


def _read(output: bytes) -> Mapping[str, Any]:
    try:
        result = strict_json.parse_loosely(output)
    except ValueError as error:
        raise _failed("the translator ended without a result") from error
    if "errors" in result:
        raise _failed(" ".join(result["errors"])[:_TEXT_MAX])
    template: Mapping[str, Any] = result["template"]
    return template


def _failed(reason: str) -> TransformFailed:
    return TransformFailed(f"Transform {SERVERLESS} failed with: {reason}")
