"""A scrape of one cell answers for all cells of its machine."""

import dataclasses
import socket
from collections.abc import Awaitable, Callable, Sequence

from prometheus_client import Metric

from lambent.instance.cell import Cell
from lambent.instance.data_directory import DataDirectory
from lambent.model.arn import AccountId
from lambent.model.peers import Peers
from lambent.store.membership import Membership
from lambent.telemetry.cell_families import of_cells, to_json

_QUESTION = "metrics/families"

FamiliesOf = Callable[[AccountId], Awaitable[Sequence[Metric]]]
"""An account's metrics in one cell."""


class CellMetrics:
    """See the module."""

    def __init__(
        self,
        cell: Cell,
        data: DataDirectory,
        membership: Membership,
        peers: Peers,
        own: FamiliesOf,
    ) -> None:
        self._number = cell.number
        self._cells = {
            str(dataclasses.replace(data, cell=number).own): number
            for number in range(1, cell.count + 1)
        }
        self._membership = membership
        self._peers = peers
        self._own = own

        async def answer(account: str) -> object:
            return to_json(await own(AccountId(account)))

        peers.serve(_QUESTION, answer)

    async def families(self, account: AccountId) -> Sequence[Metric]:
        """Those of all cells. A cell that does not answer in time is named."""
        cells = {
            node.number: self._cells[node.data_dir]
            for node in self._membership.nodes
            if node.data_dir in self._cells and node.host == socket.gethostname()
        }
        others = {node: account for node, cell in cells.items() if cell != self._number}
        answers = await self._peers.ask_each(_QUESTION, others)
        found = {cells[node]: answer for node, answer in answers.found.items()}
        found[self._number] = to_json(await self._own(account))
        return of_cells(found, sorted(set(self._cells.values()) - found.keys()))
