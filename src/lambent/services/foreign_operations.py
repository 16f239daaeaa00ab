"""Operations of other services whose resources can be derived from their parameters. All others are
for the account's root only."""

from collections.abc import Mapping

from lambent.services import foreign_resources as r

_TOPIC = r.named(TopicArn="={}")
_TABLE = r.named(TableName="table/{}")
_TAGGED_TABLE = r.named(ResourceArn="=table/{}")
_TAGGED_TOPIC = r.named(ResourceArn="={}")
_STREAM = r.named(StreamName="stream/{}", StreamARN="=stream/{}")
_TABLE_STREAM = r.named(StreamArn="=table/{}/stream/{:}")
_ACTIVITY = r.named(activityArn="=activity:{}")
_TAGGED_MACHINE = r.named(resourceArn="=stateMachine:{}")
_STATE_MACHINE = r.named(stateMachineArn="=stateMachine:{:}")
_EXECUTION = r.named(executionArn="=execution:{:}")
_DELIVERY = r.named(DeliveryStreamName="deliverystream/{}")
_POOL = r.named(UserPoolId="userpool/{}")
_IDENTITY_POOL = r.named(IdentityPoolId="identitypool/{}")
_BUS = r.named(Name="event-bus/{}")
_SQS = (
    *("AddPermission", "ChangeMessageVisibility", "DeleteMessage", "DeleteQueue"),
    *("GetQueueAttributes", "ListDeadLetterSourceQueues", "ListQueueTags", "PurgeQueue"),
    *("ReceiveMessage", "RemovePermission", "SendMessage", "SetQueueAttributes"),
    *("TagQueue", "UntagQueue"),
)
_SNS = (
    *("AddPermission", "ConfirmSubscription", "DeleteTopic", "GetTopicAttributes"),
    *("ListSubscriptionsByTopic", "RemovePermission", "SetTopicAttributes", "Subscribe"),
)
_DYNAMODB = (
    *("CreateTable", "DeleteItem", "DeleteTable", "DescribeContinuousBackups", "DescribeTable"),
    *("DescribeTimeToLive", "GetItem", "PutItem", "UpdateContinuousBackups", "UpdateItem"),
    *("UpdateTable", "UpdateTimeToLive"),
)
_KINESIS = (
    *("AddTagsToStream", "CreateStream", "DecreaseStreamRetentionPeriod", "DeleteStream"),
    *("DescribeStream", "DescribeStreamSummary", "GetShardIterator"),
    *("IncreaseStreamRetentionPeriod", "ListShards", "ListStreamConsumers"),
    *("ListTagsForStream", "MergeShards", "PutRecord", "PutRecords", "RegisterStreamConsumer"),
    *("RemoveTagsFromStream", "SplitShard", "StartStreamEncryption", "StopStreamEncryption"),
)
_KMS = (
    *("CancelKeyDeletion", "Decrypt", "DescribeKey", "DisableKey", "DisableKeyRotation"),
    *("EnableKey", "EnableKeyRotation", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair"),
    *("GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac"),
    *("GetKeyPolicy", "GetKeyRotationStatus", "GetPublicKey", "ListKeyPolicies"),
    *("ListResourceTags", "PutKeyPolicy", "ScheduleKeyDeletion", "Sign", "TagResource"),
    *("UntagResource", "UpdateKeyDescription", "Verify", "VerifyMac"),
)
_SECRETS = (
    *("CancelRotateSecret", "DeleteResourcePolicy", "DeleteSecret", "DescribeSecret"),
    *("GetResourcePolicy", "GetSecretValue", "ListSecretVersionIds", "PutResourcePolicy"),
    *("PutSecretValue", "RestoreSecret", "RotateSecret", "TagResource", "UntagResource"),
    *("UpdateSecret", "UpdateSecretVersionStage"),
)
_PARAMETERS = (
    *("DeleteParameter", "GetParameter", "GetParameterHistory", "GetParametersByPath"),
    *("LabelParameterVersion", "PutParameter", "UnlabelParameterVersion"),
)

OPERATIONS: Mapping[str, Mapping[str, r.Find]] = {
    "cognito-identity": {
        **dict.fromkeys(("CreateIdentityPool", "ListIdentityPools"), r.nothing),
        **dict.fromkeys(
            ("DeleteIdentityPool", "DescribeIdentityPool", "ListIdentities", "UpdateIdentityPool"),
            _IDENTITY_POOL,
        ),
    },
    "cognito-idp": {
        **dict.fromkeys(("CreateUserPool", "ListUserPools"), r.nothing),
        **dict.fromkeys(
            (
                *("AdminConfirmSignUp", "AdminCreateUser", "AdminDeleteUser", "AdminGetUser"),
                *("AdminInitiateAuth", "AdminSetUserPassword", "AdminUpdateUserAttributes"),
                *("CreateUserPoolClient", "DeleteUserPool", "DeleteUserPoolClient"),
                *("DescribeUserPool", "DescribeUserPoolClient", "ListUserPoolClients"),
                *("ListUsers", "UpdateUserPool", "UpdateUserPoolClient"),
            ),
            _POOL,
        ),
    },
    "dynamodb": {
        **dict.fromkeys(("DescribeEndpoints", "DescribeLimits", "ListTables"), r.nothing),
        **dict.fromkeys(("ListStreams",), r.nothing),
        **dict.fromkeys(_DYNAMODB, _TABLE),
        **dict.fromkeys(("Query", "Scan"), r.ITEMS),
        **dict.fromkeys(("BatchGetItem", "BatchWriteItem"), r.TABLES),
        **dict.fromkeys(("TransactGetItems", "TransactWriteItems"), r.TRANSACTED),
        **dict.fromkeys(("ListTagsOfResource", "TagResource", "UntagResource"), _TAGGED_TABLE),
        **dict.fromkeys(("DescribeStream", "GetShardIterator"), _TABLE_STREAM),
        "GetRecords": r.unsure("table/{}/stream/{}"),
    },
    "events": {
        **dict.fromkeys(("ListEventBuses", "ListRules", "TestEventPattern"), r.nothing),
        **dict.fromkeys(("CreateEventBus", "DeleteEventBus", "DescribeEventBus"), _BUS),
        **dict.fromkeys(
            ("DeleteRule", "DescribeRule", "DisableRule", "EnableRule", "PutRule"), r.rule("Name")
        ),
        **dict.fromkeys(("ListTargetsByRule", "PutTargets", "RemoveTargets"), r.rule("Rule")),
        "PutEvents": r.BUSES,
    },
    "firehose": {
        "ListDeliveryStreams": r.nothing,
        **dict.fromkeys(
            (
                *("CreateDeliveryStream", "DeleteDeliveryStream", "DescribeDeliveryStream"),
                *("ListTagsForDeliveryStream", "PutRecord", "PutRecordBatch"),
                *("TagDeliveryStream", "UntagDeliveryStream", "UpdateDestination"),
            ),
            _DELIVERY,
        ),
    },
    "kinesis": {
        **dict.fromkeys(("DescribeLimits", "ListStreams"), r.nothing),
        **dict.fromkeys(_KINESIS, _STREAM),
        "SubscribeToShard": r.named(ConsumerARN="=stream/{}/consumer/{}:{}"),
        "GetRecords": r.unsure("stream/{}"),
    },
    "kms": {
        **dict.fromkeys(("CreateKey", "GenerateRandom", "ListAliases", "ListKeys"), r.nothing),
        **dict.fromkeys(_KMS, r.KEY),
    },
    "pipes": {
        "ListPipes": r.nothing,
        **dict.fromkeys(
            (
                *("CreatePipe", "DeletePipe", "DescribePipe", "StartPipe", "StopPipe"),
                "UpdatePipe",
            ),
            r.named(Name="pipe/{}"),
        ),
    },
    "secretsmanager": {
        **dict.fromkeys(("GetRandomPassword", "ListSecrets"), r.nothing),
        **dict.fromkeys(_SECRETS, r.SECRET),
        "CreateSecret": r.NEW_SECRET,
    },
    "ses": {
        **dict.fromkeys(
            (
                *("DeleteIdentity", "GetIdentityVerificationAttributes", "GetSendQuota"),
                *("GetSendStatistics", "ListIdentities", "VerifyDomainIdentity"),
                *("VerifyEmailAddress", "VerifyEmailIdentity"),
            ),
            r.nothing,
        ),
        **dict.fromkeys(("SendEmail", "SendRawEmail"), r.unsure("identity/{}")),
    },
    "sns": {
        **dict.fromkeys(
            (
                *("GetSubscriptionAttributes", "ListSubscriptions", "ListTopics"),
                *("SetSubscriptionAttributes", "Unsubscribe"),
            ),
            r.nothing,
        ),
        **dict.fromkeys(_SNS, _TOPIC),
        **dict.fromkeys(("ListTagsForResource", "TagResource", "UntagResource"), _TAGGED_TOPIC),
        "CreateTopic": r.named(Name="{}"),
        "Publish": r.PUBLISHED,
    },
    "sqs": {
        "ListQueues": r.nothing,
        **dict.fromkeys(_SQS, r.QUEUE),
        **dict.fromkeys(("CreateQueue", "GetQueueUrl"), r.NAMED_QUEUE),
        **dict.fromkeys(("ListMessageMoveTasks", "StartMessageMoveTask"), r.named(SourceArn="={}")),
    },
    "ssm": {
        "DescribeParameters": r.nothing,
        **dict.fromkeys(_PARAMETERS, r.PARAMETER),
        **dict.fromkeys(("DeleteParameters", "GetParameters"), r.PARAMETERS),
    },
    "states": {
        **dict.fromkeys(
            (
                *("ListActivities", "ListStateMachines", "SendTaskFailure"),
                *("SendTaskHeartbeat", "SendTaskSuccess"),
            ),
            r.nothing,
        ),
        "CreateActivity": r.named(name="activity:{}"),
        "CreateStateMachine": r.named(name="stateMachine:{}"),
        **dict.fromkeys(
            ("DeleteActivity", "DescribeActivity", "GetActivityTask"),
            _ACTIVITY,
        ),
        **dict.fromkeys(
            (
                *("DeleteStateMachine", "DescribeStateMachine", "ListExecutions"),
                *("StartExecution", "StartSyncExecution", "UpdateStateMachine"),
            ),
            _STATE_MACHINE,
        ),
        **dict.fromkeys(
            (
                *("DescribeExecution", "DescribeStateMachineForExecution"),
                *("GetExecutionHistory", "StopExecution"),
            ),
            _EXECUTION,
        ),
        **dict.fromkeys(
            ("ListTagsForResource", "TagResource", "UntagResource"),
            _TAGGED_MACHINE,
        ),
    },
}
"""By signing name and operation; an operation on a batch has the permission of its parts."""
