"""How many cells a platform has, and what each of them gets."""

import dataclasses
import os
import socket
from pathlib import Path

import pytest

from lambent.assembly.cells import cells_of, settings_of_cell
from lambent.assembly.nodes import node_url_of
from lambent.instance.cell import Cell
from lambent.instance.data_directory import DataDirectory
from lambent.sandbox.users import first_users
from lambent.settings import ServerSettings, Settings


@pytest.mark.parametrize(("cores", "cells"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8), (128, 15)])
def test_auto_is_one_for_two_cores(cores: int, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two cores there is one, which is the platform as it is without cells."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert cells_of(Settings(server=ServerSettings(cells="auto"))) == cells


@pytest.mark.parametrize("cells", ["0", "16", "-1", "two", "", "1.5", "²"])
def test_what_is_no_number_of_cells_is_refused(cells: str) -> None:
    """The message names the setting."""
    with pytest.raises(SystemExit, match=r"server\.cells"):
        cells_of(Settings(server=ServerSettings(cells=cells)))


def test_what_a_machine_has_is_divided(tmp_path: Path) -> None:
    """The database and the packages are shared; memory and disk have equal parts."""
    link, other = socket.socketpair()
    with link, other:
        cell = Cell(number=2, count=4, link=link, services=None, is_start=False)
        before = Settings(server=ServerSettings(data_dir=tmp_path))
        found = settings_of_cell(before, cell)
    assert found.store.shared
    assert found.store.url == f"sqlite:///{tmp_path}/state/lambent.db"
    assert found.store.blobs_dir == str(tmp_path / "state" / "blobs")
    assert found.worker.code_mb * 4 == before.worker.code_mb
    assert found.telemetry.total_bytes_max * 4 == before.telemetry.total_bytes_max
    assert 0 < found.sandbox.prepared_mb <= before.sandbox.prepared_mb / 4
    assert found.invocation == before.invocation  # Limits are counted over all cells.


def test_cells_have_places_of_their_own(tmp_path: Path) -> None:
    """Directories, names of control groups and user IDs never collide. The first cell has those of
    a platform without cells."""
    cells = [DataDirectory(tmp_path, cell=number) for number in range(1, 16)]
    assert cells[0] == DataDirectory(tmp_path)
    for name in ("state", "code", "trust", "sandbox", "instance", "group"):
        assert len({getattr(cell, name) for cell in cells}) == 15
    users = {first_users(1_900_000_000, int(cell.instance[:4], 16))[0] for cell in cells}
    assert len(users) == 15
    assert {cell.ca_certificate for cell in cells} == {tmp_path / "trust" / "ca.pem"}
    cells[1].state.mkdir(parents=True)
    assert [each.cell for each in dataclasses.replace(cells[0]).all_cells()] == [1, 2]


@pytest.mark.parametrize(
    ("wanted", "of_cell", "expected"),
    [
        ("", None, "http://127.0.0.1:5262"),
        ("http://a:1", None, "http://a:1"),
        ("", "http://127.0.0.1:4001", "http://127.0.0.1:4001"),
        ("http://a:1", "http://10.0.0.1:4001", "http://a:4001"),
        ("https://[fd00::1]:1", "http://[::1]:4001", "https://[fd00::1]:4001"),
    ],
)
def test_other_nodes_reach_each_cell(wanted: str, of_cell: str | None, expected: str) -> None:
    """At a port of its own."""
    assert node_url_of(wanted, "http://127.0.0.1:5262", of_cell) == expected
