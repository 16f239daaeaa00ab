"""Values of dynamic references, which are never stored."""

from collections.abc import Set
from typing import Any

from lambent.identity.authorizer import Caller
from lambent.kit import strict_json
from lambent.model.errors import ApiError
from lambent.stacks.ports import AwsApi
from lambent.stacks.template.dynamic_references import (
    DynamicReference,
    dynamic_references,
    parse_reference,
    substitute,
)


class DynamicValues:
    """Asks Systems Manager and Secrets Manager with the rights of a caller."""

    def __init__(self, api: AwsApi) -> None:
        self._api = api

    async def resolve(self, value: Any, caller: Caller) -> tuple[Any, Set[str]]:
        """A value with its dynamic references replaced, and what they stand for. Raises
        `ApiError`."""
        found = {}
        for written in sorted(dynamic_references(value)):
            reference = parse_reference(written)
            read = self._parameter if reference.service == "ssm" else self._secret
            try:
                found[written] = await read(reference, caller)
            except ApiError as error:
                raise ApiError(
                    error.code, f"Could not resolve {written}: {error.message}", status=error.status
                ) from error
        return (substitute(value, found) if found else value), frozenset(found.values())

    async def parameter(self, name: str, caller: Caller) -> str:
        """The value of a parameter of Systems Manager. Raises `ApiError`."""
        return await self._parameter(DynamicReference("ssm", name), caller)

    async def _parameter(self, reference: DynamicReference, caller: Caller) -> str:
        version = f":{reference.version}" if reference.version else ""
        wanted = {"Name": f"{reference.name}{version}", "WithDecryption": reference.is_secure}
        output = await self._api.call("ssm", "GetParameter", wanted, caller)
        parameter = output["Parameter"]
        if (parameter.get("Type") == "SecureString") != reference.is_secure:
            kind = "a" if reference.is_secure else "no"
            raise ApiError("ValidationError", f"The parameter is {kind} SecureString or should be.")
        return str(parameter["Value"])

    async def _secret(self, reference: DynamicReference, caller: Caller) -> str:
        wanted = {"SecretId": reference.name}
        if reference.version is not None:
            wanted["VersionId"] = reference.version
        if reference.stage is not None:
            wanted["VersionStage"] = reference.stage
        output = await self._api.call("secretsmanager", "GetSecretValue", wanted, caller)
        text = output.get("SecretString")
        if text is None:
            raise ApiError("ValidationError", "The secret is binary.")
        if reference.key is None:
            return str(text)
        try:
            document = strict_json.parse_loosely(text)
        except ValueError:
            document = None
        if not isinstance(document, dict) or reference.key not in document:
            raise ApiError("ValidationError", f"The secret has no key {reference.key}.")
        value = document[reference.key]
        return value if isinstance(value, str) else str(value)
