"""HAProxy in front of nodes, configured as docs/nodes.md says."""

import re
from collections.abc import Sequence
from pathlib import Path

from tests.servers.processes import Server, answers, free_port

PROGRAM = "/usr/sbin/haproxy"
_PAGE = Path(__file__).parents[2] / "docs/nodes.md"
_FRONT = """
frontend in
    bind 127.0.0.1:{port}
    default_backend lambent
"""


class LoadBalancer(Server):
    """A load balancer of nodes on loopback ports."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__()
        self.port = free_port()
        blocks = re.findall(r"^```\n(defaults\n.*?)^```$", _PAGE.read_text(), re.M | re.S)
        (printed,) = blocks
        lines = [line for line in printed.splitlines() if not line.startswith("    server ")]
        assert len(lines) + 3 == len(printed.splitlines())
        lines += [f"    server n{port} 127.0.0.1:{port}" for port in ports]
        text = "\n".join(lines) + _FRONT.format(port=self.port)
        (self.directory / "proxy.conf").write_text(text)

    def command(self) -> list[str]:
        return [PROGRAM, "-db", "-f", f"{self.directory}/proxy.conf"]

    def is_ready(self) -> bool:
        return answers(self.port)
