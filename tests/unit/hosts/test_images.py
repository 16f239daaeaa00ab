"""How images of hosts are made and thrown away."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.hosts.images import mirror_settings, remove_tree


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_is_mounted_in_an_image_is_not_emptied(tmp_path: Path) -> None:
    """An attempt that was killed leaves directories of this machine mounted there."""
    ours, image = tmp_path / "ours", tmp_path / "image"
    (image / "root" / "dev").mkdir(parents=True)
    (image / "root" / "file").touch()
    ours.mkdir()
    (ours / "precious").touch()
    subprocess.run(["mount", "--bind", ours, image / "root" / "dev"], check=True)
    remove_tree(image)
    assert not image.exists()
    assert (ours / "precious").exists()
    remove_tree(image)


def test_an_image_uses_mirrors_as_this_machine_does() -> None:
    dump = """Acquire "";
Acquire::http::Proxy "http://proxy:3128";
Acquire::https::Proxy "";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::GzipIndexes "true";
"""
    assert mirror_settings(dump) == [
        'Acquire::http::Proxy "http://proxy:3128";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Check-Date "false";',
    ]
