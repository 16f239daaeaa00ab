"""Reports the result of a custom resource to CloudFormation.

AWS adds a module of this name to functions whose code is written in the template. Here every
function can import it, unless it brings its own.

Works on Python 3.8 and later.
"""

import http.client
import json
from urllib.parse import urlsplit

SUCCESS = "SUCCESS"
FAILED = "FAILED"
_TIMEOUT_S = 60


def send(
    event,
    context,
    responseStatus,
    responseData,
    physicalResourceId=None,
    noEcho=False,
    reason=None,
):
    """Send the result of the request in `event`. Prints what went wrong, and raises nothing."""
    details = "See the details in CloudWatch Log Stream: {}".format(context.log_stream_name)
    body = json.dumps(
        {
            "Status": responseStatus,
            "Reason": reason or details,
            "PhysicalResourceId": physicalResourceId or context.log_stream_name,
            "StackId": event["StackId"],
            "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
            "NoEcho": noEcho,
            "Data": responseData,
        }
    )
    print("Response body:")
    print(body)
    try:
        print("Status code:", _put(event["ResponseURL"], body.encode()))
    except Exception as error:
        print("The response could not be sent:", error)


def _put(url, body):
    parts = urlsplit(url)
    is_plain = parts.scheme == "http"
    connect = http.client.HTTPConnection if is_plain else http.client.HTTPSConnection
    connection = connect(parts.hostname, parts.port, timeout=_TIMEOUT_S)
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        # The link is signed without a content type.
        headers = {"Content-Type": "", "Content-Length": str(len(body))}
        connection.request("PUT", target, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()
