"""Custom challenges: three functions of the pool decide how a user signs in.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-challenge.html
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.control.cognito.attempt import Attempt
from lambent.control.cognito.errors import invalid, not_authorized
from lambent.control.cognito.finishing import Finishing, challenge
from lambent.control.cognito.pool import Params
from lambent.control.cognito.sessions import Sessions
from lambent.control.cognito.triggers import Answer, Triggers, texts, unrecognizable

CUSTOM, PASSWORD, SRP_A = "CUSTOM_CHALLENGE", "PASSWORD_VERIFIER", "SRP_A"
History = Sequence[Mapping[str, Any]]
AskForPassword = Callable[[Attempt, History], Any]
"""Begins SRP; what comes of it is `decide` with a longer history."""


class CustomChallenges:
    """See the module."""

    def __init__(self, triggers: Triggers, sessions: Sessions, finishing: Finishing) -> None:
        self._triggers = triggers
        self._sessions = sessions
        self._finishing = finishing

    async def decide(
        self, attempt: Attempt, history: History, ask_for_password: AskForPassword | None = None
    ) -> Params:
        """What comes next, as DefineAuthChallenge says. Raises `ApiError`."""
        answer = await self._ask(attempt, "DefineAuthChallenge", session=list(history))
        if answer.get("issueTokens") is True:
            if attempt.user is None:
                raise not_authorized()
            return await self._finishing.finish(attempt, "TokenGeneration_Authentication")
        if answer.get("failAuthentication") is True:
            raise not_authorized()
        name = answer.get("challengeName")
        if name == PASSWORD and ask_for_password is not None:
            made: Params = await ask_for_password(attempt, history)
            return made
        if name != CUSTOM:
            raise unrecognizable()
        return await self._create(attempt, history)

    async def answered(self, attempt: Attempt, session: Params, given: Params) -> Params:
        """The answer to CUSTOM_CHALLENGE. Raises `ApiError`."""
        if "ANSWER" not in given:
            raise invalid("Missing required parameter ANSWER")
        await self._sessions.use_up(session)
        answer = await self._ask(
            attempt,
            "VerifyAuthChallengeResponse",
            privateChallengeParameters=session["private"],
            challengeAnswer=given["ANSWER"],
        )
        is_correct = answer.get("answerCorrect")
        if not isinstance(is_correct, bool):
            raise unrecognizable()
        step = {
            "challengeName": CUSTOM,
            "challengeResult": is_correct,
            "challengeMetadata": session["metadata"],
        }
        return await self.decide(attempt, [*session["history"], step])

    async def _create(self, attempt: Attempt, history: History) -> Params:
        answer = await self._ask(
            attempt, "CreateAuthChallenge", challengeName=CUSTOM, session=list(history)
        )
        metadata = answer.get("challengeMetadata")
        if metadata is not None and not isinstance(metadata, str):
            raise unrecognizable()
        state = {
            **attempt.identity,
            "history": list(history),
            "private": texts(answer.get("privateChallengeParameters")),
            "metadata": metadata,
        }
        session = self._sessions.make(attempt.client, CUSTOM, state)
        shown = texts(answer.get("publicChallengeParameters"))
        return challenge(CUSTOM, session, {"USERNAME": attempt.username, **shown})

    async def _ask(self, attempt: Attempt, name: str, **members: Any) -> Answer:
        answer = await self._triggers.ask(
            attempt.client.pool,
            name,
            "Authentication",
            attempt.username,
            attempt.event(**members),
            client=attempt.client,
        )
        if answer is None:
            raise invalid("Custom auth lambda trigger is not configured for the user pool.")
        return answer
