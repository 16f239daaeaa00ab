"""What each operation of CloudWatch needs permission for: no metric is a resource of its own."""

from lambent.gateway.permissions.asked import Asked
from lambent.gateway.permissions.needs import NOTHING, Key, Values

METRICS = NOTHING


async def _namespace(asked: Asked) -> Values:
    return {"cloudwatch:namespace": [asked.params["Namespace"]]}


NAMESPACE = Key("cloudwatch:namespace", _namespace)
