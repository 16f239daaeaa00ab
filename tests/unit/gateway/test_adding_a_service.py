"""docs/adding-a-service.md is followed as it is printed, and the service works for boto3."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import lambent.gateway.services
from lambent.gateway.authorization import Authorization
from lambent.gateway.definitions import AnyService
from lambent.gateway.dispatch import Dispatcher
from lambent.gateway.registry import SERVICES
from lambent.identity.authorizer import Caller
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.principal import Principal
from tests.authorizers import strict
from tests.unit.gateway.running import running

USER = Principal(
    kind="user", account="111111111111", arn="arn:aws:iam::111111111111:user/u", user_id="AIDA1"
)
OTHERS = [service for service in SERVICES if service.name != "ssm"]
PAGE = Path(__file__).parents[3] / "docs" / "adding-a-service.md"
_FILE = re.compile(
    r"^`src/lambent/gateway/services/parameters/(\w+\.py)`:\n\n```python\n(.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture(scope="module")
def ssm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyService]:
    """The definition of the page's service, imported from the page's files."""
    folder = tmp_path_factory.mktemp("services")
    files = dict(_FILE.findall(PAGE.read_text()))
    assert set(files) == {"operations.py", "permissions.py", "service.py"}
    (folder / "parameters").mkdir()
    for name, text in {"__init__.py": "", **files}.items():
        (folder / "parameters" / name).write_text(text)
    package = lambent.gateway.services
    package.__path__.append(str(folder))
    try:
        from lambent.gateway.services.parameters.service import SSM  # type: ignore[import-not-found]

        yield SSM
    finally:
        package.__path__.remove(str(folder))
        for name in [
            name for name in sys.modules if name.startswith(f"{package.__name__}.parameters")
        ]:
            del sys.modules[name]


def test_the_service_is_served(ssm: AnyService) -> None:
    """Next to the others, signed and unsigned, with its own errors; what it does not offer says
    so."""
    with running((*OTHERS, ssm), lambda gateway: gateway.register(ssm, ssm.bind({}))) as api:
        for client in (api.client("ssm"), api.unsigned("ssm")):
            client.put_parameter(Name="a", Value="1", Type="String")
            assert client.get_parameter(Name="a")["Parameter"]["Value"] == "1"
            with pytest.raises(client.exceptions.ParameterNotFound, match="Parameter b not found"):
                client.get_parameter(Name="b")
            with pytest.raises(ClientError, match="does not offer the operation GetParameters yet"):
                client.get_parameters(Names=["a"])
            with pytest.raises(ClientError, match="Member must not be null"):
                client.get_parameter()
        account = {"aws_access_key_id": "222222222222", "aws_secret_access_key": "secret"}
        with pytest.raises(ClientError, match="Parameter a not found"):
            api.client("ssm", **account).get_parameter(Name="a")


@pytest.mark.anyio
async def test_the_service_can_be_dispatched(ssm: AnyService) -> None:
    """Without HTTP, as the page shows it; and it is asked whether the caller may."""
    allowed = {"Effect": "Allow", "Action": "ssm:GetParameter"}
    resource = "arn:aws:ssm:us-east-1:111111111111:parameter/team/*"
    dispatcher = Dispatcher(Authorization(strict({**allowed, "Resource": resource}), None))
    scope = Scope("111111111111", "us-east-1")
    parameters: Any = {(scope, "/team/a"): "1"}
    dispatcher.register(ssm, ssm.bind(parameters))
    caller = Caller(principal=USER, scope=scope, service=None, access_key_id=None)
    output = await dispatcher.dispatch("ssm", "GetParameter", {"Name": "/team/a"}, caller)
    assert output["Parameter"]["Value"] == "1"
    with pytest.raises(ApiError) as refused:
        await dispatcher.dispatch("ssm", "GetParameter", {"Name": "/other"}, caller)
    assert refused.value.code == "AccessDeniedException"
