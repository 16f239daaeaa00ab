"""Messages that the AWS Encryption SDK reads, with every one of its commitment policies."""

import secrets
from typing import Any

import pytest
from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.key_providers.base import MasterKey, MasterKeyConfig
from aws_encryption_sdk.structures import DataKey as Decrypted

from lambent.kit.encrypted_message import DataKey, encrypted_message

ARN = "arn:aws:kms:us-east-1:000000000000:key/k"
KEY = DataKey(ARN, secrets.token_bytes(32), b"encrypted")
CONTEXT = {"userpool-id": "us-east-1_a", "another": "ü"}


class _Config(MasterKeyConfig):  # type: ignore[misc]
    provider_id = "aws-kms"


class Kms(MasterKey):  # type: ignore[misc]
    """A key that decrypts `KEY`, as KMS does."""

    provider_id = "aws-kms"
    _config_class = _Config

    def _generate_data_key(self, *_: Any) -> None:
        raise AssertionError

    def _encrypt_data_key(self, *_: Any) -> None:
        raise AssertionError

    def _decrypt_data_key(
        self, encrypted_data_key: Any, algorithm: Any, encryption_context: Any
    ) -> Decrypted:
        assert encrypted_data_key.encrypted_data_key == KEY.encrypted
        assert encryption_context == CONTEXT
        return Decrypted(self.key_provider, KEY.plaintext, KEY.encrypted)


@pytest.mark.parametrize("policy", list(CommitmentPolicy))
@pytest.mark.parametrize("content", [b"123456", b"", b"x" * 4096])
def test_the_sdk_decrypts(policy: CommitmentPolicy, content: bytes) -> None:
    """With the data key of the message, and the context that is in it."""
    message = encrypted_message(content, KEY, CONTEXT)
    client = EncryptionSDKClient(commitment_policy=policy)
    found, header = client.decrypt(source=message, key_provider=Kms(key_id=ARN))
    assert (found, header.encryption_context) == (content, CONTEXT)


def test_messages_differ() -> None:
    """Each has a key and an id of its own; nothing of the content is readable."""
    made = {encrypted_message(b"123456", KEY, {}) for _ in range(3)}
    assert len(made) == 3
    assert not any(b"123456" in each or KEY.plaintext in each for each in made)
    assert KEY.plaintext.hex() not in repr(KEY)


def test_what_is_no_message() -> None:
    """A content that is too long, and a key of another length."""
    with pytest.raises(ValueError, match="4,096"):
        encrypted_message(b"x" * 4097, KEY, {})
    with pytest.raises(ValueError, match="32"):
        encrypted_message(b"x", DataKey(ARN, b"short", b"e"), {})
