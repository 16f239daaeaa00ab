"""Makes the faults of a plan happen."""

import contextlib
import dataclasses
import http.client
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.faults.database import Database
from tests.faults.machine import PORT, Machine
from tests.faults.network import Network, enter
from tests.faults.plan import DATABASE, Fault

Way = tuple[str, str]
OUTSIDE = "outside"
"""The machine of clients, to which nothing happens."""
_LOOK_S = 0.5


@dataclasses.dataclass(slots=True)
class Happened:
    """A fault that happened."""

    fault: Fault
    began: float
    """Monotonic."""
    ended: float = float("inf")
    """When everything worked again, as far as that is known from outside."""


class Injection:
    """Breaks and mends."""

    def __init__(
        self, network: Network, database: Database, machines: Mapping[str, Machine]
    ) -> None:
        self._network = network
        self._database = database
        self._machines = machines
        self._turns = {name: threading.Lock() for name in (*machines, DATABASE)}
        """A machine has one fault at a time, also where mending takes long."""
        self._stop = threading.Event()
        self.happened: list[Happened] = []
        self.errors: list[BaseException] = []

    def carry_out(self, faults: Sequence[Fault]) -> None:
        """Have these faults happen; returns when all have ended."""
        began, threads = time.monotonic(), []
        for fault in faults:
            self._stop.wait(max(began + fault.at - time.monotonic(), 0))
            threads.append(threading.Thread(target=self._let_happen, args=(fault,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _let_happen(self, fault: Fault) -> None:
        try:
            with self._turns[fault.target]:
                happened = Happened(fault, time.monotonic())
                self.happened.append(happened)
                with self._broken(fault):
                    self._stop.wait(fault.lasts)
            self._wait_well(fault)
            happened.ended = time.monotonic()
        except BaseException as error:
            self.errors.append(error)
            self._stop.set()

    def _wait_well(self, fault: Fault) -> None:
        """Wait until the machine serves again: how long that takes depends on the host's load."""
        names = [*self._machines] if fault.target == DATABASE else [fault.target]
        enter(self._network.namespace(OUTSIDE))
        while names and not self._stop.is_set():
            names = [name for name in names if not _is_well(self._machines[name])]
            self._stop.wait(_LOOK_S if names else 0)

    def _broken(self, fault: Fault) -> contextlib.AbstractContextManager[None]:
        if fault.target == DATABASE:
            how = "immediate" if fault.kind == "crash database" else "fast"
            return _both(lambda: self._database.stop(how), self._database.start)
        machine = self._machines[fault.target]
        if fault.kind == "kill":
            return _both(lambda: machine.signal(signal.SIGKILL), lambda: None)
        if fault.kind == "pause":
            return _both(
                lambda: machine.signal(signal.SIGSTOP), lambda: machine.signal(signal.SIGCONT)
            )
        if fault.kind == "shift clock":
            return _both(lambda: machine.shift_clock(fault.shift), lambda: machine.shift_clock(0))
        if fault.kind == "fill disk":
            return _filled(machine)
        ways = self._ways(fault)
        return _both(lambda: self._network.cut(*ways), lambda: self._network.mend(*ways))

    def _ways(self, fault: Fault) -> Sequence[Way]:
        """What does not arrive, as pairs of a sender and a receiver."""
        own, others = fault.target, [name for name in self._machines if name != fault.target]
        sent = [(own, DATABASE), *((own, other) for other in others)]
        received = [(sender, receiver) for receiver, sender in sent]
        return {
            "lose database": [sent[0], received[0]],
            "lose neighbor": [sent[1], received[1]],
            "lose all": [*sent, *received],
            "lose what it sends": sent,
            "lose what it receives": received,
        }[fault.kind]


def _is_well(machine: Machine) -> bool:
    """Whether load balancers would send requests to it."""
    connection = http.client.HTTPConnection(machine.address, PORT, timeout=1)
    try:
        connection.request("GET", "/_lambent/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _both(before: Callable[[], None], after: Callable[[], None]) -> Iterator[None]:
    before()
    try:
        yield
    finally:
        after()


@contextmanager
def _filled(machine: Machine) -> Iterator[None]:
    make_room = machine.fill_disk()
    try:
        yield
    finally:
        make_room()
