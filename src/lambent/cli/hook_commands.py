"""`lambent hook`: HTTP entry points for callers that are not AWS."""

from typing import Annotated, Any

import typer

from lambent.cli.options import LOCAL, SWITCH, Endpoint, Json
from lambent.cli.output import UsageError, print_json, print_note, print_table

_KINDS = "s3, sns, cloudevents, hmac, token, alb or alexa"
HookName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the hook.")]
Secret = Annotated[
    str | None,
    typer.Option(
        "--secret",
        envvar="LAMBENT_HOOK_SECRET",
        metavar="SECRET",
        help="What callers prove to know; made if it is needed and missing. - reads it from stdin.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    hooks = typer.Typer(
        help="HTTP entry points for callers that are not AWS: webhooks, MinIO, CloudEvents, Alexa.",
        no_args_is_help=True,
    )
    for command in (create, show, rotate, delete, send):
        hooks.command()(command)
    hooks.command("list")(list_hooks)
    app.add_typer(hooks, name="hook")


def create(
    name: HookName,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help=f"{_KINDS}.")],
    function: Annotated[
        str | None,
        typer.Option("--function", metavar="NAME", help="Name or ARN of the function it calls."),
    ] = None,
    bus: Annotated[
        str | None,
        typer.Option("--bus", metavar="NAME", help="Event bus that gets the events instead."),
    ] = None,
    secret: Secret = None,
    sync: Annotated[
        bool,
        typer.Option("--sync", metavar=SWITCH, help="The caller waits for the response."),
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="N", help="Accepted requests a second. Default: 100."),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(
            "--scheme",
            metavar="NAME",
            help="Of hmac: github, gitlab, stripe, slack or standard.",
        ),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="ARN", help="Of sns: a topic; may be repeated."),
    ] = None,
    skill: Annotated[
        str | None, typer.Option("--skill", metavar="ID", help="Of alexa: the id of the skill.")
    ] = None,
    local: Annotated[
        bool,
        typer.Option(
            "--local", metavar=SWITCH, help="Of alexa: take requests of `lambent hook send`, too."
        ),
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="Another option of the kind, as docs/hooks.md lists them; may be repeated.",
        ),
    ] = None,
    endpoint: Endpoint = LOCAL,
) -> None:
    """Create a hook; prints its address and its secret."""
    from lambent.cli.hooks import create as create_hook
    from lambent.cli.hooks import options_of

    if (function is None) == (bus is None):
        raise UsageError("say where events go: --function NAME or --bus NAME")
    options = options_of(option)
    for key, value in (("scheme", scheme), ("topics", topic), ("skill", skill)):
        if value:
            options[key] = value
    if local:
        options["local"] = True
    members: dict[str, Any] = {"name": name, "kind": kind, "options": options, "sync": sync}
    members |= {
        key: value
        for key, value in (("function", function), ("bus", bus), ("rate", rate))
        if value is not None
    }
    if secret is not None:
        members["secret"] = _read(secret)
    print_json(_without_key(create_hook(endpoint, members)))


def list_hooks(endpoint: Endpoint = LOCAL, as_json: Json = False) -> None:
    """List the hooks, without their secrets."""
    from lambent.cli.hooks import find_all

    found = find_all(endpoint)
    if as_json:
        print_json(found)
    elif found:
        rows = [{**hook, "target": _short(hook)} for hook in found]
        print_table(("name", "kind", "target", "address"), rows)
    else:
        print_note("no hooks yet; `lambent hook create NAME --kind KIND` creates one")


def show(
    name: HookName,
    with_secret: Annotated[
        bool, typer.Option("--secret", metavar=SWITCH, help="Show its secret, too.")
    ] = False,
    only_address: Annotated[
        bool, typer.Option("--address", metavar=SWITCH, help="Print its address and nothing else.")
    ] = False,
    endpoint: Endpoint = LOCAL,
) -> None:
    """Show a hook, and how many requests it has accepted and refused since the platform started."""
    from lambent.cli.hooks import show as show_hook

    hook = show_hook(endpoint, name, with_secret=with_secret)
    if only_address:
        print(hook["address"])
    else:
        print_json(_without_key(hook))


def rotate(
    name: HookName,
    secret: Secret = None,
    grace_s: Annotated[
        int,
        typer.Option("--grace", metavar="SECONDS", help="How long the old secret is accepted."),
    ] = 0,
    endpoint: Endpoint = LOCAL,
) -> None:
    """Give a hook another secret; prints it."""
    from lambent.cli.hooks import rotate as rotate_hook

    given = None if secret is None else _read(secret)
    print_json(_without_key(rotate_hook(endpoint, name, given, grace_s)))


def delete(name: HookName, endpoint: Endpoint = LOCAL) -> None:
    """Delete a hook."""
    from lambent.cli.hooks import delete as delete_hook

    print_json(delete_hook(endpoint, name))


def send(
    name: HookName,
    request: Annotated[
        str, typer.Argument(metavar="REQUEST", help="launch, intent or end.")
    ] = "launch",
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INTENT] [SLOT=VALUE]...", help="Of intent."),
    ] = None,
    locale: Annotated[
        str, typer.Option("--locale", metavar="LOCALE", help="Language of the request.")
    ] = "en-US",
    attributes: Annotated[
        str | None,
        typer.Option("--attributes", metavar="JSON", help="Attributes of a session that goes on."),
    ] = None,
    endpoint: Endpoint = LOCAL,
) -> None:
    """Send a request to a skill, as Alexa does, through a hook that was created with --local."""
    from lambent.cli.alexa import send as send_request

    print_json(
        send_request(endpoint, name, request, arguments or [], locale=locale, attributes=attributes)
    )


def _read(secret: str) -> str:
    return typer.get_text_stream("stdin").read().strip() if secret == "-" else secret


def _short(hook: dict[str, Any]) -> str:
    arn: str = hook["function"] or hook["bus"]
    return arn.partition(":function:")[2] or arn.rpartition("/")[2]


def _without_key(hook: dict[str, Any]) -> dict[str, Any]:
    """The key of a hook for local use is no secret that anyone types."""
    if hook["options"].get("local"):
        hook.pop("secret", None)
    return hook
