"""The function that reads each event with Powertools: with its data class, all properties of it,
and with its model. It prints what it has read, or why it could not. Triggers of user pools get the
answer of `trigger.py`."""

import typing

import trigger
from aws_lambda_powertools.utilities import data_classes as d
from aws_lambda_powertools.utilities.data_classes import cognito_user_pool_event as c
from aws_lambda_powertools.utilities.parser import models as m
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.parser.models import cognito as mc

COGNITO = {
    "PreSignUp": (c.PreSignUpTriggerEvent, mc.CognitoPreSignupTriggerModel),
    "PostConfirmation": (c.PostConfirmationTriggerEvent, mc.CognitoPostConfirmationTriggerModel),
    "UserMigration": (c.UserMigrationTriggerEvent, mc.CognitoMigrateUserTriggerModel),
    "CustomMessage": (c.CustomMessageTriggerEvent, mc.CognitoCustomMessageTriggerModel),
    "PreAuthentication": (
        c.PreAuthenticationTriggerEvent,
        mc.CognitoPreAuthenticationTriggerModel,
    ),
    "PostAuthentication": (
        c.PostAuthenticationTriggerEvent,
        mc.CognitoPostAuthenticationTriggerModel,
    ),
    "TokenGeneration": (
        c.PreTokenGenerationTriggerEvent,
        mc.CognitoPreTokenGenerationTriggerModelV1,
    ),
    # Their models refuse what AWS sends: CUSTOM_CHALLENGE, and an answer that is not given yet.
    "DefineAuthChallenge": (c.DefineAuthChallengeTriggerEvent, None),
    "VerifyAuthChallengeResponse": (c.VerifyAuthChallengeResponseTriggerEvent, None),
    "CreateAuthChallenge": (
        c.CreateAuthChallengeTriggerEvent,
        mc.CognitoCreateAuthChallengeTriggerModel,
    ),
    "CustomEmailSender": (
        c.CustomEmailSenderTriggerEvent,
        mc.CognitoCustomEmailSenderTriggerModel,
    ),
    "CustomSMSSender": (c.CustomSMSSenderTriggerEvent, mc.CognitoCustomSMSSenderTriggerModel),
}
RECORDS = {
    "aws:sns": (d.SNSEvent, m.SnsModel),
    "aws:s3": (d.S3Event, m.S3Model),
}


def takes(model, source):
    """Whether a model has a source: some have fewer than AWS."""
    field = model.model_fields.get("triggerSource")
    known = typing.get_args(field.annotation) if field else ()
    return not known or source in known


def classes_of(event):
    """What the event is, its data class and its model, None if Powertools has none."""
    if "triggerSource" in event:
        source = event["triggerSource"]
        data_class, model = COGNITO[source.partition("_")[0]]
        if source.startswith("TokenGeneration") and event["version"] != "1":
            data_class = c.PreTokenGenerationV2TriggerEvent
            # The model wants a map of scopes; AWS has a list.
            return "tokens V2", data_class, None
        return source, data_class, model if model and takes(model, source) else None
    if "detail-type" in event:
        return event["detail-type"], d.EventBridgeEvent, m.EventBridgeModel
    if "Records" in event:
        record = event["Records"][0]
        source = record.get("EventSource") or record["eventSource"]
        return source, *RECORDS[source]
    if "SecretId" in event:
        return "secret", d.SecretsManagerEvent, None
    if "deliveryStreamArn" in event:
        return "firehose", d.KinesisFirehoseEvent, m.KinesisFirehoseModel
    if "awslogs" in event:
        return "logs", d.CloudWatchLogsEvent, m.CloudWatchLogsModel
    if "elb" in event["requestContext"]:
        return "alb", d.ALBEvent, m.AlbModel
    return "url", d.LambdaFunctionUrlEvent, m.LambdaFunctionUrlModel


def read(value, depth=3):
    """Read all properties, and those of what they return."""
    for name in dir(type(value)):
        if not name.startswith("_") and isinstance(getattr(type(value), name), property):
            found = getattr(value, name)
            if depth and type(found).__module__.startswith("aws_lambda_powertools"):
                read(found, depth - 1)


def handler(event, context):
    if not event:
        return None
    what, data_class, model = classes_of(event)
    try:
        data = data_class(event)
        read(data)
        for record in getattr(data, "records", ()):
            read(record)
        if what == "logs":
            read(data.parse_logs_data())
        if model is not None:
            parse(event, model=model)
        print("PARSED", what)
    except Exception as error:
        print("FAILED", what, repr(error).replace("\n", " ")[:500], event)
    if "triggerSource" in event:
        return trigger.handler(event, context)
    if "deliveryStreamArn" in event:
        return {"records": [{**record, "result": "Ok"} for record in event["records"]]}
    return {"statusCode": 200, "body": "parsed"}
