"""Messages of the AWS Encryption SDK: a short text, encrypted with a data key, and the data key as
a key of KMS has encrypted it. Every version of the SDK since 1.7 decrypts them.

The algorithm suite is `AES_256_GCM_HKDF_SHA512_COMMIT_KEY`: one message has one key, and there is
no signature.
https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/message-format.html
"""

import dataclasses
import secrets
import struct
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION, _SUITE, _FRAMED = 2, 0x0478, 2
_FRAME_BYTES = 4096
_ID_BYTES, _KEY_BYTES, _IV_BYTES = 32, 32, 12
_PROVIDER = b"aws-kms"
_FINAL, _LAST_FRAME = b"AWSKMSEncryptionClient Final Frame", 0xFFFFFFFF


@dataclasses.dataclass(frozen=True, slots=True)
class DataKey:
    """A data key of KMS."""

    key_arn: str
    """The ARN of the key that has encrypted it."""
    plaintext: bytes = dataclasses.field(repr=False)
    """32 bytes."""
    encrypted: bytes = dataclasses.field(repr=False)


def encrypted_message(content: bytes, key: DataKey, context: Mapping[str, str]) -> bytes:
    """The message of a content of at most 4,096 bytes, which is one frame. `context` is the
    encryption context that the data key was made with; it is readable in the message. Raises
    `ValueError` for a longer content or another length of the key."""
    if len(content) > _FRAME_BYTES or len(key.plaintext) != _KEY_BYTES:
        raise ValueError("a content has at most 4,096 bytes, and its key 32")
    id = secrets.token_bytes(_ID_BYTES)
    cipher = AESGCM(_derived(key.plaintext, id, struct.pack(">H", _SUITE) + b"DERIVEKEY"))
    header = b"".join(
        (
            struct.pack(">BH", _VERSION, _SUITE),
            id,
            _counted(_context(context)),
            struct.pack(">H", 1),
            *(_counted(part) for part in (_PROVIDER, key.key_arn.encode(), key.encrypted)),
            struct.pack(">BI", _FRAMED, _FRAME_BYTES),
            _derived(key.plaintext, id, b"COMMITKEY"),
        )
    )
    # The number of the first frame is 1, so the nonce of the header is another one.
    iv, number = (1).to_bytes(_IV_BYTES, "big"), struct.pack(">I", 1)
    tag = cipher.encrypt(bytes(_IV_BYTES), b"", header)
    frame = cipher.encrypt(iv, content, id + _FINAL + number + struct.pack(">Q", len(content)))
    length = struct.pack(">I", len(content))
    return header + tag + struct.pack(">I", _LAST_FRAME) + number + iv + length + frame


def _derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA512(), _KEY_BYTES, salt, info).derive(key)


def _counted(part: bytes) -> bytes:
    """Bytes after their number."""
    return struct.pack(">H", len(part)) + part


def _context(context: Mapping[str, str]) -> bytes:
    if not context:
        return b""
    pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    parts = [_counted(part) for pair in pairs for part in pair]
    return struct.pack(">H", len(pairs)) + b"".join(parts)
