"""Function versions as the store would give them."""

from lambent.model.arn import AccountId, Region
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from tests.factories import function_version


def version_of(name: str, version: str = LATEST, account: str = "0" * 12) -> FunctionVersion:
    """A deployed version; its configuration is named after it."""
    key = FunctionKey(AccountId(account), Region("us-east-1"), name)
    configuration_id = f"{account}/{name}/{version}"
    return function_version(key=key, version=version, configuration_id=configuration_id)
