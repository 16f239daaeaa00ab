"""Problems of a cluster, in AWS's words.

Pure. https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-troubleshoot.html
"""

from confluent_kafka import KafkaError

from lambent.polling.credentials import CONFIG_NOT_VALID, NOT_AUTHENTICATED
from lambent.polling.ports import SourceError
from lambent.polling.role_client import NOT_ALLOWED, unreachable

_LOST = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._ASSIGNMENT_LOST,
        KafkaError._DESTROY,
    }
)
_NOT_AUTHORIZED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
_SASL = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.ILLEGAL_SASL_STATE,
    }
)
_NO_TOPIC = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
_GROUP_REFUSED = frozenset(
    {
        KafkaError.INVALID_SESSION_TIMEOUT,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.INVALID_GROUP_ID,
    }
)


def lasting_problem(error: KafkaError, topic: str) -> SourceError | None:
    """The problem that an error shows, if it lasts. None if the client recovers by itself."""
    code, text = error.code(), error.str()
    if code in _SASL:
        return SourceError(
            "PROBLEM: SASL authentication failed", reason=NOT_AUTHENTICATED, detail=text
        )
    if code in _NOT_AUTHORIZED:
        return SourceError(
            "PROBLEM: Cluster failed to authorize Lambda", reason=NOT_ALLOWED, detail=text
        )
    if code == KafkaError._SSL:
        is_theirs = "certificate verify failed" in text
        return _untrusted(text) if is_theirs else refused_certificate(text)
    if code == KafkaError._INVALID_ARG:
        problem = "Provided certificate or private key is invalid"
        # librdkafka's text may show the secret.
        return SourceError(f"PROBLEM: {problem}", reason=CONFIG_NOT_VALID)
    if code in _NO_TOPIC:
        return SourceError(
            f"PROBLEM: The topic {topic} does not exist", reason=CONFIG_NOT_VALID, detail=text
        )
    if code in _GROUP_REFUSED or error.fatal():
        return SourceError(
            f"PROBLEM: The cluster refuses the consumer group: {text}", reason=CONFIG_NOT_VALID
        )
    return None


def problem(error: KafkaError, topic: str) -> SourceError:
    """The problem that an error shows."""
    return lasting_problem(error, topic) or unreachable(error.str())


def is_lost(error: KafkaError) -> bool:
    """Whether an error says that the partition belongs to another member of the group now."""
    return error.code() in _LOST


def refused_certificate(detail: str) -> SourceError:
    """The server wants another client certificate."""
    return SourceError(
        "PROBLEM: Server failed to authenticate Lambda", reason=NOT_AUTHENTICATED, detail=detail
    )


def _untrusted(detail: str) -> SourceError:
    return SourceError(
        "PROBLEM: Lambda failed to authenticate server", reason=NOT_AUTHENTICATED, detail=detail
    )
