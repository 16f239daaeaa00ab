"""The page of the project file, and what the page for developers says about debuggers."""

import json
import re
from pathlib import Path

from lambent.cli.debugging import PORTS
from lambent.cli.package import SECRETS
from lambent.cli.project_reference import render
from lambent.model.debugging import DEBUGGER_PORTS
from lambent.node.languages.launch import TASK_ROOT

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "reference/project-file.md"


def test_the_page_is_current() -> None:
    """`make docs` writes it; every key has a meaning."""
    assert PAGE.read_text(encoding="utf-8") == render()
    assert "|  |\n" not in render()


def test_the_launch_configuration() -> None:
    """Has the usual ports, and the directory of the code in a box."""
    page = (DOCS / "developing.md").read_text(encoding="utf-8")
    text = re.findall(r"<!-- launch.json -->\n```json\n(.*?)```", page, re.DOTALL)[0]
    python, node = json.loads(text)["configurations"]
    assert python["connect"]["port"] == PORTS["python"]
    assert python["pathMappings"][0]["remoteRoot"] == node["remoteRoot"] == TASK_ROOT
    assert node["port"] == PORTS["nodejs"]
    assert PORTS == DEBUGGER_PORTS
    for name in SECRETS:
        assert f"`{name}`" in page
