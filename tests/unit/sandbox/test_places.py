"""Texts that name the paths and addresses of a box, on a host without boxes."""

from pathlib import Path

import pytest

from lambent.sandbox.launcher.process_directories import ProcessDirectories, names_fixed_paths

PLACES = ProcessDirectories(
    root="/d/v1", runtime_api="127.9.9.9:1", endpoint="127.9.9.9:2", trace_daemon="127.9.9.9:3"
)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("/opt", "/d/v1/opt"),
        ("/opt/nodejs/node_modules:/var/task", "/d/v1/opt/nodejs/node_modules:/d/v1/var/task"),
        ("-cp /var/runtime/a.jar", "-cp /d/v1/var/runtime/a.jar"),
        ("-Dx=/var/lang/lib", "-Dx=/d/v1/var/lang/lib"),
        ("/tmp/cache", "/d/v1/tmp/cache"),
        ("http://127.0.0.1:9002", "http://127.9.9.9:2"),
        ("127.0.0.1:9001", "127.9.9.9:1"),
        *(
            (same, same)
            for same in ("/optional", "/usr/opt/x", "/var/tasks", "app.handler", "s3://b/opt/x", "")
        ),
    ],
)
def test_translation(text: str, means: str) -> None:
    """Only whole paths at the beginning of a word are replaced."""
    assert PLACES.translate(text) == means


def test_variables() -> None:
    """Secrets stay unchanged; home and temporary files are the environment's, unless it sets them
    itself."""
    translated = PLACES.translate_variables(
        {"AWS_SECRET_ACCESS_KEY": "/opt/x", "HOME": "/tmp", "A": "b"}
    )
    assert translated == {
        "AWS_SECRET_ACCESS_KEY": "/opt/x",
        "HOME": "/d/v1/tmp",
        "TMPDIR": "/d/v1/tmp",
        "A": "b",
        "LAMBENT_LAYERS_DIR": "/d/v1/opt",
        "LAMBENT_ENVIRONMENT": "/d/v1",
    }


@pytest.mark.parametrize(
    ("program", "does"),
    [
        ("#!/bin/sh\nexec /opt/bin/x\n", True),
        ("#!/opt/bin/php\n", True),
        ("#!/bin/sh\ncd /var/task\n", True),
        ("#!/bin/sh\ncd ${LAMBDA_TASK_ROOT:-/var/task}\n", False),
        ("#!/bin/sh\n$LAMBENT_LAYERS_DIR/bin/x /usr/opt/x\n", False),
        ("\x7fELF /opt/", False),
    ],
)
def test_programs_that_name_them(program: str, does: bool, tmp_path: Path) -> None:
    """Scripts are examined, as far as that is possible."""
    file = tmp_path / "bootstrap"
    file.write_text(program)
    assert names_fixed_paths(str(file)) is does
    assert not names_fixed_paths(str(tmp_path / "none"))
