"""User pools on a real database, with a clock that the test moves and functions of the test."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lambent.control.cognito import srp
from lambent.control.cognito.keys import PoolKey
from lambent.control.cognito.pool import Pool
from lambent.control.cognito.ports import FunctionUnusable, KeyUnusable
from lambent.control.cognito.room import UserPools, open_user_pools
from lambent.kit.clock import ManualClock
from lambent.kit.encrypted_message import DataKey
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.model.peers import NoPeers
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store

HERE = Scope(AccountId("111111111111"), Region("us-east-1"))
FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:f"
KEY_ARN = "arn:aws:kms:us-east-1:111111111111:key/k"
DATA_KEY = bytes(range(32))
PASSWORD = "Passw0rd!x"
ADDRESS = "10.1.2.3"
FLOWS = [
    *("ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"),
    *("ALLOW_CUSTOM_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"),
]
Answer = Callable[[dict[str, Any]], Any]


class Mail:
    """Keeps messages."""

    def __init__(self) -> None:
        self.is_configured = True
        self.sent: list[tuple[str, str, str]] = []

    def send(self, pool: Pool, address: str, subject: str, html: str) -> None:
        self.sent.append((address, subject, html))

    def code(self) -> str:
        """The code in the last message."""
        return self.sent[-1][2].rstrip(".")[-6:]


class World:
    """A platform's user pools."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock()
        self.mail = Mail()
        self.events: list[dict[str, Any]] = []
        self.answer: Answer = lambda event: event
        """What the function of a pool returns."""
        self.queued: list[tuple[str, dict[str, Any]]] = []
        """Events in the queue, with the ARN of their function."""
        self.uncallable: set[str] = set()
        """ARNs of functions that the pool may not call."""
        self.contexts: list[Mapping[str, str]] = []
        """Encryption contexts of data keys."""
        self.rooms: UserPools

    async def call(self, pool: Pool, arn: str, event: bytes) -> bytes:
        """The pool's function."""
        self.events.append(json.loads(event))
        return json.dumps(self.answer(json.loads(event))).encode()

    async def enqueue(self, pool: Pool, arn: str, event: bytes) -> None:
        """The queue of events."""
        if arn in self.uncallable:
            raise FunctionUnusable("AccessDeniedException")
        self.queued.append((arn, json.loads(event)))

    async def make_key(self, scope: Scope, key_arn: str, context: Mapping[str, str]) -> DataKey:
        """KMS."""
        if key_arn != KEY_ARN:
            raise KeyUnusable("KMS refuses GenerateDataKey: NotFoundException")
        self.contexts.append(context)
        return DataKey(key_arn, DATA_KEY, b"encrypted")

    async def pool(self, **more: Any) -> str:
        """A new pool; its id."""
        params = {"PoolName": "p", "AutoVerifiedAttributes": ["email"], **more}
        made = await self.rooms.pools.create(HERE, params)
        id: str = made["UserPool"]["Id"]
        return id

    async def client(self, pool: str, **more: Any) -> str:
        """A new client; its id."""
        params = {"UserPoolId": pool, "ClientName": "c", "ExplicitAuthFlows": FLOWS, **more}
        made = await self.rooms.clients.create(HERE, params)
        id: str = made["UserPoolClient"]["ClientId"]
        return id

    async def user(self, pool: str, name: str, /, **attributes: str) -> None:
        """A user with the usual password."""
        listed = [{"Name": key, "Value": value} for key, value in attributes.items()]
        await self.rooms.managed.create(
            HERE,
            {
                "UserPoolId": pool,
                "Username": name,
                "MessageAction": "SUPPRESS",
                "UserAttributes": listed,
            },
        )
        await self.rooms.managed.set_password(
            HERE,
            {"UserPoolId": pool, "Username": name, "Password": PASSWORD, "Permanent": True},
        )

    async def sign_in(self, client: str, name: str, password: str = PASSWORD) -> Any:
        """The result of signing in with the password."""
        made = await self.rooms.signing_in.initiate(
            {
                "ClientId": client,
                "AuthFlow": "USER_PASSWORD_AUTH",
                "AuthParameters": {"USERNAME": name, "PASSWORD": password},
            },
            ADDRESS,
        )
        return made.get("AuthenticationResult", made)

    async def refresh(self, client: str, token: str) -> Any:
        """The result of a refresh."""
        made = await self.rooms.signing_in.initiate(
            {
                "ClientId": client,
                "AuthFlow": "REFRESH_TOKEN_AUTH",
                "AuthParameters": {"REFRESH_TOKEN": token},
            },
            ADDRESS,
        )
        return made["AuthenticationResult"]

    async def begin_srp(self, client: str, name: str) -> tuple[int, Mapping[str, str]]:
        """Begin SRP as a client does: the secret exponent and the server's parameters."""
        secret = secrets.randbits(256)
        made = await self.rooms.signing_in.initiate(
            {
                "ClientId": client,
                "AuthFlow": "USER_SRP_AUTH",
                "AuthParameters": {"USERNAME": name, "SRP_A": f"{pow(srp.G, secret, srp.N):x}"},
            },
            ADDRESS,
        )
        return secret, made["ChallengeParameters"]

    async def end_srp(
        self, pool: str, client: str, begun: tuple[int, Mapping[str, str]], password: str
    ) -> Any:
        """Answer the challenge of SRP."""
        secret, parameters = begun
        short, user = pool.partition("_")[2], parameters["USER_ID_FOR_SRP"]
        salt = int(parameters["SALT"], 16)
        server = int(parameters["SRP_B"], 16)
        client_public = pow(srp.G, secret, srp.N)
        scrambled = hashlib.sha256(srp.padded(client_public) + srp.padded(server)).digest()
        scrambler = int.from_bytes(scrambled, "big")
        inner = hashlib.sha256(f"{short}{user}:{password}".encode()).digest()
        private = int.from_bytes(hashlib.sha256(srp.padded(salt) + inner).digest(), "big")
        multiplier = int.from_bytes(
            hashlib.sha256(srp.padded(srp.N) + srp.padded(srp.G)).digest(), "big"
        )
        base = (server - multiplier * pow(srp.G, private, srp.N)) % srp.N
        shared = pow(base, secret + scrambler * private, srp.N)
        extracted = hmac.digest(srp.padded(scrambler), srp.padded(shared), "sha256")
        key = hmac.digest(extracted, b"Caldera Derived Key\x01", "sha256")[:16]
        block = base64.b64decode(parameters["SECRET_BLOCK"])
        timestamp = "Tue Nov 14 22:13:20 UTC 2023"
        message = f"{short}{user}".encode() + block + timestamp.encode()
        signed = hmac.digest(key, message, "sha256")
        return await self.rooms.signing_in.respond(
            {
                "ClientId": client,
                "ChallengeName": "PASSWORD_VERIFIER",
                "ChallengeResponses": {
                    "USERNAME": user,
                    "PASSWORD_CLAIM_SECRET_BLOCK": parameters["SECRET_BLOCK"],
                    "PASSWORD_CLAIM_SIGNATURE": base64.b64encode(signed).decode(),
                    "TIMESTAMP": timestamp,
                },
            },
            ADDRESS,
        )


@asynccontextmanager
async def living(settings: StoreSettings, directory: Path) -> AsyncIterator[World]:
    """User pools on a database."""
    async with open_store(settings, directory) as store:
        world = World(store)
        world.rooms = await open_user_pools(
            *(store, world.clock, world.call, world.enqueue, world.make_key, world.mail),
            NoPeers(),
        )
        world.rooms.keys.generate = _generate  # type: ignore[method-assign]
        yield world


_KEYS: list[PoolKey] = []


async def _generate() -> PoolKey:
    """One key for all pools: a new one takes a while."""
    if not _KEYS:
        _KEYS.append(PoolKey("kid", rsa.generate_private_key(65537, 2048)))
    return _KEYS[0]


async def refused(call: Any) -> tuple[str, str]:
    """The code and the message with which a call is refused."""
    with pytest.raises(ApiError) as error:
        await call
    return error.value.code, error.value.message


def claims_of(token: str) -> dict[str, Any]:
    """What a token says."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
