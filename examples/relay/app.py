"""Passes each event on to a function of a Lambent platform, and its response back.

This function runs in AWS, for callers that exist only there. It needs nothing but the runtime.
"""

import json
import os
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MARGIN_S = 0.5
"""What is left for a response when the platform is given up on."""
FORGOTTEN = ("UnrecognizedClientException", "InvalidSignatureException")
"""How the platform refuses a key that was replaced."""

_client = None


def handler(event, context):
    """Call the function. What fails there fails here, with an error of the same type."""
    deadline_s = context.get_remaining_time_in_millis() / 1000 - MARGIN_S
    try:
        answer = call(json.dumps(event).encode(), deadline_s)
    except ClientError as error:
        refusal = error.response["Error"]
        raise error_of(refusal["Code"], refusal["Message"]) from None
    body = answer["Payload"].read()
    result = json.loads(body) if body else None
    if "FunctionError" in answer:
        failed = result if isinstance(result, dict) else {}
        raise error_of(failed.get("errorType") or "Error", failed.get("errorMessage", ""))
    return result


def call(payload, deadline_s):
    """Call the function, with a key that is read again if the platform does not know it."""
    try:
        return call_once(payload, deadline_s)
    except ClientError as error:
        if error.response["Error"]["Code"] not in FORGOTTEN:
            raise
    forget()
    return call_once(payload, deadline_s)


def call_once(payload, deadline_s):
    """One request. Raises botocore's exceptions."""
    return client_with(deadline_s).invoke(
        FunctionName=os.environ["FUNCTION"],
        InvocationType=os.environ["INVOCATION_TYPE"],
        Payload=payload,
    )


def client_with(deadline_s):
    """The client, which is made for the first event: the time for later ones is the same."""
    global _client
    if _client is None:
        secrets = boto3.client("secretsmanager")
        key = json.loads(secrets.get_secret_value(SecretId=os.environ["KEY"])["SecretString"])
        authority = Path(__file__).with_name("ca.pem")
        _client = boto3.client(
            "lambda",
            endpoint_url=os.environ["ENDPOINT"],
            region_name=os.environ["PLATFORM_REGION"],
            aws_access_key_id=key["access_key_id"],
            aws_secret_access_key=key["secret_access_key"],
            verify=str(authority) if authority.exists() else True,
            config=Config(
                connect_timeout=min(5, deadline_s),
                read_timeout=deadline_s,
                # Who calls this function decides about retries.
                retries={"total_max_attempts": 1},
            ),
        )
    return _client


def forget():
    """Read the key again."""
    global _client
    _client = None


def error_of(name, message):
    """An exception of which Lambda shows this name as its type."""
    return type(str(name), (Exception,), {})(message)
