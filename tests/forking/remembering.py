"""What programs make of files that are a part of their libraries, like modules: made once, before
programs are forked. It is more than half of the CPU of a command of the AWS CLI, and of ours."""

import functools
import importlib
import os
from collections.abc import Callable
from typing import Any

_KINDS = ("service-2", "paginators-1", "waiters-2", "endpoint-rule-set-1")
_CREDENTIALS = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}


def remember_models(*services: str) -> None:
    """Read the models of services that botocore has. Models that a user has elsewhere are read as
    ever."""
    loaders = importlib.import_module("botocore.loaders")
    hooks = importlib.import_module("botocore.hooks")
    # The directory of packages, or the package that has a copy of botocore.
    home = os.path.dirname(importlib.import_module("botocore").__path__[0])
    hooks.accepts_kwargs = functools.cache(hooks.accepts_kwargs)
    read, search = loaders.JSONFileLoader.load_file, loaders.Loader.list_available_services
    files: dict[str, Any] = {}
    lists: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def load_file(loader: Any, path: str) -> Any:
        if not path.startswith(home):
            return read(loader, path)
        if path not in files:
            files[path] = read(loader, path)
        return files[path]

    def list_available_services(loader: Any, type_name: str) -> list[str]:
        places = tuple(loader._potential_locations())
        if not all(place.startswith(home) for place in places):
            return list(search(loader, type_name))
        if (type_name, places) not in lists:
            lists[type_name, places] = search(loader, type_name)
        return [*lists[type_name, places]]

    loaders.JSONFileLoader.load_file = load_file
    loaders.Loader.list_available_services = list_available_services
    session = importlib.import_module("botocore.session").Session()
    loader = session.get_component("data_loader")
    for kind in _KINDS:
        for service in {*services} & {*loader.list_available_services(kind)}:
            loader.load_service_model(service, kind)
    session.create_client(services[0], "us-east-1", **_CREDENTIALS)


def remember_commands() -> None:
    """Build the commands of `lambent`."""
    main = importlib.import_module("typer.main")
    main.get_command = functools.cache(main.get_command)
    main.get_command(importlib.import_module("lambent.cli.app").app)


def _remember_aws() -> None:
    cli = importlib.import_module("awscli.clidriver")  # From here on, botocore is its copy.
    services = ("lambda", "apigatewayv2", "cloudformation", "cloudwatch", "cognito-idp", "events")
    remember_models(*services, "iam", "logs", "s3", "sns", "sqs")
    driver = cli.create_clidriver()
    driver._get_command_table()


def _remember_lambent() -> None:
    """Also the routes in the models of services, and the statements that make tables."""
    remember_models("lambda", "logs", "cloudwatch", "cloudformation", "events", "sqs")
    remember_commands()
    services = importlib.import_module("lambent.gateway.registry").SERVICES
    importlib.import_module("lambent.gateway.routing").Services(services)
    sqlalchemy = importlib.import_module("sqlalchemy")
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    importlib.import_module("lambent.store.database").migrate(engine)
    engine.dispose()


REMEMBER: dict[str, Callable[[], None]] = {
    "lambent": _remember_lambent,
    "aws": _remember_aws,
    "samcli": lambda: remember_models("lambda", "cloudformation", "s3", "logs"),
}
"""By kind of server, as `server.LOADED` names it."""
