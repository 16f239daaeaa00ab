"""Data keys for the codes that functions of user pools send, made by KMS: that of the local
services, of a server in the settings, or of AWS."""

from collections.abc import Mapping

from lambent.aws.client import AwsClient, AwsUnreachable, error_code
from lambent.aws.errors import ClientError
from lambent.control.cognito.ports import KeyUnusable
from lambent.kit.encrypted_message import DataKey
from lambent.model.arn import Arn, Scope

_DEADLINE_S = 5.0
_KEY_BYTES = 32


class DataKeys:
    """See the module. It is a `MakeDataKey`."""

    def __init__(self, aws: AwsClient) -> None:
        self._aws = aws

    async def __call__(self, scope: Scope, key_arn: str, context: Mapping[str, str]) -> DataKey:
        """See `MakeDataKey`. The key must be one of the pool's account and Region."""
        arn = Arn.try_parse(key_arn)
        if arn is None or (arn.account, arn.region) != scope:
            raise KeyUnusable("the key must be one of the pool's account and Region")
        try:
            made = await self._aws.call(
                "kms",
                "GenerateDataKey",
                {"KeyId": key_arn, "KeySpec": "AES_256", "EncryptionContext": dict(context)},
                region=scope.region,
                account=scope.account,
                deadline_s=_DEADLINE_S,
            )
        except ClientError as error:
            raise KeyUnusable(f"KMS refuses GenerateDataKey: {error_code(error)}") from error
        except AwsUnreachable as error:
            raise KeyUnusable(f"KMS does not respond: {error}") from error
        plaintext, encrypted = made.get("Plaintext", b""), made.get("CiphertextBlob", b"")
        if len(plaintext) != _KEY_BYTES or not encrypted:
            raise KeyUnusable("KMS made no data key of 32 bytes")
        return DataKey(made.get("KeyId") or key_arn, plaintext, encrypted)
