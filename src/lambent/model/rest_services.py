"""Services that integrations of REST APIs call, other than Lambda, and how their requests look."""

import re

TARGETS = {
    "cognito-idp": ("AWSCognitoIdentityProviderService", "1.1"),
    "dynamodb": ("DynamoDB_20120810", "1.0"),
    "events": ("AWSEvents", "1.1"),
    "firehose": ("Firehose_20150804", "1.1"),
    "kinesis": ("Kinesis_20131202", "1.1"),
    "kms": ("TrentService", "1.1"),
    "secretsmanager": ("secretsmanager", "1.1"),
    "ssm": ("AmazonSSM", "1.1"),
    "states": ("AWSStepFunctions", "1.0"),
}
"""Services with a JSON protocol: the prefix of `X-Amz-Target`, and the version of JSON."""
VERSIONS = {"sns": "2010-03-31", "sqs": "2012-11-05"}
"""Services that take forms: the version of the API."""
FORM = "application/x-www-form-urlencoded"
SERVICE_URI = re.compile(
    r"arn:aws[a-z-]*:apigateway:(?P<region>[a-z0-9-]{1,32}):"
    rf"(?P<service>{'|'.join((*TARGETS, *VERSIONS, 's3'))}):"
    r"(?:(?P<form>path)/(?P<rest>[^?#\s]{0,1024})|(?P<action>action)/(?P<name>[A-Za-z]{1,64}))",
    re.ASCII,
)
"""An `AWS` integration's URI: `path/<path>`, or `action/<operation>`."""
