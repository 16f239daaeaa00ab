"""`lambent nodes` and `lambent node`: the platforms that share one database."""

from typing import Annotated

import typer

from lambent.cli.options import LOCAL, Endpoint, Json
from lambent.cli.output import print_json, print_note, print_table

Number = Annotated[int, typer.Argument(metavar="NODE", help="Its number in `lambent nodes`.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("nodes")(list_nodes)
    node = typer.Typer(help="One of several platforms on a database.", no_args_is_help=True)
    node.command("drain")(drain)
    node.command("resume")(resume)
    node.command("remove")(remove)
    app.add_typer(node, name="node")


def list_nodes(endpoint: Endpoint = LOCAL, as_json: Json = False) -> None:
    """List the platforms that share the database (store.shared)."""
    from lambent.cli.admin_api import list_nodes as find

    nodes = find(endpoint)
    if as_json:
        print_json(nodes)
    elif nodes:
        columns = ("node", "state", "url", "host", "pid", "running", "calls_in", "calls_out")
        shown = [
            {**node, "state": node["state"] if node["answers"] else f"{node['state']}, silent"}
            for node in nodes
        ]
        print_table((*columns, "release", "since"), shown)
    else:
        print_note("the platform has its database for itself: see store.shared")


def drain(number: Number, endpoint: Endpoint = LOCAL) -> None:
    """Have a node take on no more: its event source mappings move to others, and its health page
    says so to load balancers. What it has begun ends."""
    from lambent.cli.admin_api import change_node

    change_node(endpoint, number, "drain")


def resume(number: Number, endpoint: Endpoint = LOCAL) -> None:
    """Have a drained node take on work again."""
    from lambent.cli.admin_api import change_node

    change_node(endpoint, number, "resume")


def remove(number: Number, endpoint: Endpoint = LOCAL) -> None:
    """Declare a node lost, and have the others take over its work. Nodes do this by themselves
    unless half of them are lost at once. The node must be silent; make sure that its machine is
    off."""
    from lambent.cli.admin_api import change_node

    change_node(endpoint, number, "remove")
