"""Commands on APIs of API Gateway: apis."""

import typer

from lambent.cli.options import LOCAL, Endpoint, Json
from lambent.cli.output import print_json, print_note, print_table

_COLUMNS = ("api", "type", "id", "endpoint", "route", "function", "authorizer")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(apis)


def apis(endpoint: Endpoint = LOCAL, as_json: Json = False) -> None:
    """List the APIs of API Gateway, with their addresses and routes."""
    from botocore.exceptions import ClientError

    from lambent.cli.apis import http_and_websocket_apis, is_not_offered, rest_apis, rows
    from lambent.cli.client import open_client

    with open_client("apigatewayv2", endpoint) as v2:
        found = list(http_and_websocket_apis(v2))
    with open_client("apigateway", endpoint) as v1:
        try:
            found += rest_apis(v1, endpoint)
        except ClientError as error:
            if not is_not_offered(error):
                raise
    if as_json:
        print_json(found)
    elif found:
        print_table(_COLUMNS, list(rows(found)))
    else:
        print_note("no APIs yet; `lambent deploy DIR --http-api` creates one")
