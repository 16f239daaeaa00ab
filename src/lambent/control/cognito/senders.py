"""Functions that send messages in place of the pool: CustomEmailSender and CustomSMSSender.

They get the code encrypted, as a message of the AWS Encryption SDK with a data key of the pool's
key in KMS. Their events go through the queue of asynchronous invocations, as in AWS: a user waits
for no sender.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-custom-sender-triggers.html
"""

import base64
import contextlib
import html
from collections.abc import Mapping

from lambent.control.cognito.errors import invalid
from lambent.control.cognito.pool import Client, Params, Pool
from lambent.control.cognito.ports import FunctionUnusable, KeyUnusable, MakeDataKey, QueueEvent
from lambent.control.cognito.schema import EMAIL, PHONE
from lambent.control.cognito.triggers import NO_CLIENT, event_of, metadata, uncallable
from lambent.control.cognito.users import event_attributes
from lambent.kit.encrypted_message import encrypted_message
from lambent.model.arn import Arn, Scope
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser

SENDERS = ("CustomEmailSender", "CustomSMSSender")
KEY = "KMSKeyID"
_BY_ATTRIBUTE = {EMAIL: SENDERS[0], PHONE: SENDERS[1]}
_TYPES = {SENDERS[0]: "customEmailSenderRequestV1", SENDERS[1]: "customSMSSenderRequestV1"}


class Senders:
    """See the module."""

    def __init__(self, queue: QueueEvent, make_key: MakeDataKey) -> None:
        self._queue = queue
        self._make_key = make_key

    def has(self, pool: Pool, attribute: str) -> bool:
        """Whether a function of the pool sends messages to such addresses."""
        return _BY_ATTRIBUTE[attribute] in pool.body["LambdaConfig"]

    async def send(
        self,
        pool: Pool,
        user: PoolUser,
        source: str,
        attribute: str,
        code: str,
        client: Client | None,
        client_metadata: Mapping[str, str] | None,
    ) -> None:
        """Have the function send a code, or a temporary password. Returns when its event is on
        disk. Raises `ApiError`."""
        name = _BY_ATTRIBUTE[attribute]
        # A password in an event is escaped, as in AWS; codes have digits only.
        content, context = html.escape(code, quote=False).encode(), {"userpool-id": pool.id}
        try:
            key = await self._make_key(pool.root.scope, pool.body["LambdaConfig"][KEY], context)
        except KeyUnusable as error:
            raise ApiError("CodeDeliveryFailureException", str(error)) from error
        message = encrypted_message(content, key, context)
        request = {
            "type": _TYPES[name],
            "code": base64.b64encode(message).decode(),
            "userAttributes": event_attributes(user),
            **metadata(client_metadata),
        }
        event = event_of(
            *(pool, f"{name}_{source}", user.document["username"], request),
            client_id=NO_CLIENT if client is None else client.id,
            response={},
        )
        try:
            await self._queue(pool, pool.body["LambdaConfig"][name]["LambdaArn"], event)
        except FunctionUnusable as error:
            raise uncallable(name, error) from None

    async def pretend(self, pool: Pool) -> None:
        """Ask for a data key, as for a message that is sent: a name that no user has takes as
        long."""
        if self.has(pool, EMAIL):
            with contextlib.suppress(KeyUnusable):
                await self._make_key(
                    pool.root.scope, pool.body["LambdaConfig"][KEY], {"userpool-id": pool.id}
                )

    async def check_key(self, scope: Scope, config: Params) -> None:
        """Raise `InvalidParameterException` unless the key of a pool's functions is usable."""
        if KEY not in config:
            return
        try:
            await self._make_key(scope, config[KEY], {"userpool-id": "none"})
        except KeyUnusable as error:
            raise invalid(f"{KEY} {config[KEY]} is not usable: {error}") from error


def check_senders(config: Params) -> None:
    """Check the functions that send codes. Raises `InvalidParameterException`."""
    for name in SENDERS:
        if name not in config:
            continue
        if KEY not in config:
            raise invalid(f"{name} gets codes encrypted: {KEY} must name a key of KMS.")
        version, arn = config[name].get("LambdaVersion"), config[name].get("LambdaArn") or ""
        function = Arn.try_parse(arn)
        if version != "V1_0":
            raise invalid(f"The LambdaVersion of {name} is V1_0, and not {version}.")
        if function is None or function.service != "lambda":
            raise invalid(f"{arn} is not the ARN of a function.")
    key = Arn.try_parse(config[KEY]) if KEY in config else None
    if KEY in config and (
        key is None or key.service != "kms" or not key.resource.startswith("key/")
    ):
        raise invalid(f"{config[KEY]} is not the ARN of a key of KMS.")
