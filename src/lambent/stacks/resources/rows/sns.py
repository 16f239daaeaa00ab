"""Amazon SNS."""

from typing import Any

from lambent.stacks.resources.conversion import as_text
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Bag, Name, Op, Part, Prepare, Retag, Row, only, op

_TOPIC_ATTRIBUTES = (
    *("ArchivePolicy", "ContentBasedDeduplication", "DisplayName", "FifoThroughputScope"),
    *("FifoTopic", "KmsMasterKeyId", "MaximumMessageSize", "SignatureVersion", "TracingConfig"),
)
_SUBSCRIPTION_ATTRIBUTES = (
    *("DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery"),
    *("RedrivePolicy", "ReplayPolicy", "SubscriptionRoleArn"),
)
_ACTIONS = (
    *("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission"),
    *("DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "Publish"),
)


def _default_policy(topic: str) -> Any:
    """The policy of a topic that has none of its own."""
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in _ACTIONS],
                "Resource": topic,
                "Condition": {"StringEquals": {"AWS:SourceOwner": "{$account}"}},
            }
        ],
    }


def _listed(names: tuple[str, ...]) -> Prepare:
    """Attributes are set by name, so they stand in a list, too."""

    def prepare(properties: Properties, _step: Step) -> dict[str, Any]:
        listed = [
            {"Name": name, "Value": as_text(properties[name])}
            for name in names
            if name in properties
        ]
        return {**properties, "AttributeList": listed}

    return prepare


def _suffix(properties: Properties) -> str:
    return ".fifo" if str(properties.get("FifoTopic")).lower() == "true" else ""


def _attributes(operation: str) -> Part:
    return Part(
        of=("AttributeList",),
        is_each=True,
        key="Name",
        on_create=False,
        put=only(operation, AttributeName="{*.Name}", AttributeValue="{*.Value}"),
        remove=only(operation, AttributeName="{*.Name}", AttributeValue=""),
    )


def _policy(topic: str, document: Any) -> Op:
    return only(
        "SetTopicAttributes", TopicArn=topic, AttributeName="Policy", AttributeValue=document
    )


TOPIC = Row(
    name="AWS::SNS::Topic",
    service="sns",
    named=Name("TopicName", 256, suffix=_suffix),
    renamed={"TopicName": "Name"},
    bag=Bag("Attributes", _TOPIC_ATTRIBUTES),
    create=op("CreateTopic"),
    is_idempotent=True,
    physical="arn:aws:sns:{$region}:{$account}:{TopicName}",
    keys={"TopicArn": "{$id}"},
    read=only("GetTopicAttributes"),
    delete=only("DeleteTopic"),
    prepare=_listed(_TOPIC_ATTRIBUTES),
    uses=frozenset(_TOPIC_ATTRIBUTES),
    attributes={"TopicArn": "{$id}", "TopicName": "{TopicName}"},
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {"ResourceArn": "{$id}"}),
    parts=(
        _attributes("SetTopicAttributes"),
        Part(
            of=("Subscription",),
            is_each=True,
            put=only("Subscribe", Protocol="{*.Protocol}", Endpoint="{*.Endpoint}"),
        ),
    ),
    replacing=frozenset({"Subscription"}),
    note="`Subscription` needs a new topic; a resource of its own does not.",
)

SUBSCRIPTION = Row(
    name="AWS::SNS::Subscription",
    service="sns",
    bag=Bag("Attributes", _SUBSCRIPTION_ATTRIBUTES),
    create=op("Subscribe", ReturnSubscriptionArn=True),
    physical="{.SubscriptionArn}",
    keys={"SubscriptionArn": "{$id}"},
    read=only("GetSubscriptionAttributes"),
    delete=only("Unsubscribe"),
    prepare=_listed(_SUBSCRIPTION_ATTRIBUTES),
    uses=frozenset(_SUBSCRIPTION_ATTRIBUTES),
    attributes={"Arn": "{$id}"},
    parts=(_attributes("SetSubscriptionAttributes"),),
)

TOPIC_POLICY = Row(
    name="AWS::SNS::TopicPolicy",
    service="sns",
    create=None,
    physical="{$name}",
    attributes={"Id": "{$id}"},
    parts=(
        Part(
            of=("Topics",),
            with_=("PolicyDocument",),
            is_each=True,
            put=_policy("{*}", "{PolicyDocument}"),
            remove=_policy("{*}", _default_policy("{*}")),
            is_deleted_first=True,
        ),
    ),
)

TOPIC_INLINE_POLICY = Row(
    name="AWS::SNS::TopicInlinePolicy",
    service="sns",
    create=_policy("{TopicArn}", "{PolicyDocument}"),
    physical="{TopicArn}",
    update=(_policy("{TopicArn}", "{PolicyDocument}"),),
    delete=_policy("{TopicArn}", _default_policy("{TopicArn}")),
)

ROWS = (TOPIC, SUBSCRIPTION, TOPIC_POLICY, TOPIC_INLINE_POLICY)
