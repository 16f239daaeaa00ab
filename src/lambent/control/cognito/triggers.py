"""The functions of a pool: what they are asked, and what their answers mean.
https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
"""

import json
from collections.abc import Mapping
from typing import Any

from lambent.control.cognito.pool import Client, Pool
from lambent.control.cognito.ports import CallFunction, FunctionRaised, FunctionUnusable
from lambent.kit.computing import read_wherever
from lambent.kit.strict_json import parse_loosely
from lambent.model.errors import ApiError

Answer = Mapping[str, Any]
NO_CLIENT = "CLIENT_ID_NOT_APPLICABLE"
_ANSWER_BYTES_MAX = 256 * 1024
_ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "PreSignUp": {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
    "CustomMessage": dict.fromkeys(("smsMessage", "emailMessage", "emailSubject")),
    "DefineAuthChallenge": dict.fromkeys(("challengeName", "issueTokens", "failAuthentication")),
    "CreateAuthChallenge": dict.fromkeys(
        ("publicChallengeParameters", "privateChallengeParameters", "challengeMetadata")
    ),
    "VerifyAuthChallengeResponse": {"answerCorrect": None},
    "UserMigration": dict.fromkeys(
        (
            *("userAttributes", "forceAliasCreation", "enableSMSMFA", "finalUserStatus"),
            *("messageAction", "desiredDeliveryMediums"),
        )
    ),
}
"""`response` as functions get it."""


class Triggers:
    """See the module."""

    def __init__(self, call: CallFunction) -> None:
        self._call = call

    async def ask(
        self,
        pool: Pool,
        name: str,
        source: str,
        user: str,
        request: Mapping[str, Any],
        *,
        client: Client | None = None,
        client_id: str = NO_CLIENT,
        version: str = "1",
        blank: Mapping[str, Any] | None = None,
    ) -> Answer | None:
        """The `response` that the pool's function `name` returns; None if the pool has none.
        `blank` is the `response` in the event. Raises `UserLambdaValidationException`,
        `UnexpectedLambdaException`, `InvalidLambdaResponseException`."""
        arn = pool.body["LambdaConfig"].get(name)
        if arn is None:
            return None
        event = event_of(
            *(pool, f"{name}_{source}" if "_" not in source else source, user, request),
            client_id=client_id if client is None else client.id,
            version=version,
            response=_ANSWERS.get(name, {}) if blank is None else blank,
        )
        try:
            returned = await self._call(pool, arn, event)
        except FunctionRaised as error:
            message = str(error).rstrip(".")
            raise ApiError(
                "UserLambdaValidationException", f"{name} failed with error {message}."
            ) from None
        except FunctionUnusable as error:
            raise uncallable(name, error) from None
        return await _read(returned)


def event_of(
    pool: Pool,
    source: str,
    user: str,
    request: Mapping[str, Any],
    *,
    client_id: str = NO_CLIENT,
    version: str = "1",
    response: Mapping[str, Any],
) -> bytes:
    """The event for a function of a pool. `source` is its `triggerSource`."""
    event = {
        "version": version,
        "triggerSource": source,
        "region": pool.root.region,
        "userPoolId": pool.id,
        "userName": user,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client_id},
        "request": request,
        "response": response,
    }
    return json.dumps(event).encode()


def uncallable(name: str, error: FunctionUnusable) -> ApiError:
    """400 `UnexpectedLambdaException`: a function of a pool could not be called."""
    return ApiError("UnexpectedLambdaException", f"{name} invocation failed due to error {error}.")


async def _read(returned: bytes) -> Answer:
    """The `response` in what a function has returned. Raises `InvalidLambdaResponseException`."""
    if len(returned) > _ANSWER_BYTES_MAX:
        raise unrecognizable()
    document = await read_wherever(_parse, returned, data=returned)
    answer = document.get("response") if isinstance(document, Mapping) else None
    if not isinstance(answer, Mapping):
        raise unrecognizable()
    return answer


def _parse(returned: bytes) -> object:
    try:
        return parse_loosely(returned)
    except ValueError:
        return None


def unrecognizable() -> ApiError:
    """400 `InvalidLambdaResponseException`: the answer of a function means nothing."""
    return ApiError("InvalidLambdaResponseException", "Unrecognizable lambda output")


def metadata(given: Mapping[str, str] | None) -> Mapping[str, Any]:
    """`clientMetadata`, if the request has some."""
    return {"clientMetadata": dict(given)} if given else {}


def texts(value: object) -> dict[str, str]:
    """A map of texts in an answer. Raises `InvalidLambdaResponseException`."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and (each is None or isinstance(each, str | int | float | bool))
        for name, each in value.items()
    ):
        raise unrecognizable()
    return {name: as_text(each) for name, each in value.items() if each is not None}


def as_text(value: object) -> str:
    """A value in an answer as a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
