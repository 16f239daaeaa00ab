"""`lambent keys`."""

from pathlib import Path
from typing import Annotated

import typer

from lambent.cli.options import LOCAL, Endpoint, Json
from lambent.cli.output import print_json, print_note, print_table


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    keys = typer.Typer(help="Access keys for the platform.", no_args_is_help=True)
    keys.command("create")(create_key)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke_key)
    app.add_typer(keys, name="keys")


def create_key(
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="User of the key; created if missing.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="IAM policy document for the user.")
    ] = None,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Create an access key; its secret is shown only once. Without --user, a key of the root."""
    from lambent.cli.client import open_client
    from lambent.cli.keys import create_key as create

    with open_client("iam", endpoint) as client:
        key = create(client, user, policy)
    if as_json:
        print_json(key)
    else:
        print(f"export AWS_ACCESS_KEY_ID={key['key']}")
        print(f"export AWS_SECRET_ACCESS_KEY={key['secret']}")
        print_note("the secret is not shown again")


def list_keys(endpoint: Endpoint = LOCAL, as_json: Json = False) -> None:
    """List the access keys, without their secrets."""
    from lambent.cli.client import open_client
    from lambent.cli.keys import list_keys as find

    with open_client("iam", endpoint) as client:
        found = list(find(client))
    if as_json:
        print_json(found)
    elif found:
        print_table(("key", "user", "status", "created"), found)
    else:
        print_note("no keys yet; `lambent keys create` creates one")


def revoke_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The access key's id.")],
    endpoint: Endpoint = LOCAL,
) -> None:
    """Delete an access key: requests signed with it are refused from now on."""
    from lambent.cli.client import open_client
    from lambent.cli.keys import revoke_key as revoke

    with open_client("iam", endpoint) as client:
        revoke(client, key)
