"""AWS Lambda."""

from lambent.gateway.definitions import BodyLimit, ServiceDefinition
from lambent.gateway.services.lambda_ import account, functions, layers, resources, urls, versions
from lambent.gateway.services.lambda_.coverage import COVERAGE
from lambent.gateway.services.lambda_.permissions.differences import DIFFERENCES, RESOURCE_NAMES
from lambent.gateway.services.lambda_.permissions.table import PERMISSIONS
from lambent.gateway.services.lambda_.rooms import LambdaRooms
from lambent.model.limits import SYNCHRONOUS_EVENT_BYTES_MAX

_INVOKE = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")
_EVENT_LIMIT = BodyLimit(
    bytes_max=SYNCHRONOUS_EVENT_BYTES_MAX,
    code="RequestTooLargeException",
    operation="InvokeFunction",
    members={"Type": "User"},
)

LAMBDA: ServiceDefinition[LambdaRooms] = ServiceDefinition(
    name="lambda",
    operations={
        **functions.OPERATIONS,
        **versions.OPERATIONS,
        **layers.OPERATIONS,
        **account.OPERATIONS,
        **urls.OPERATIONS,
        **resources.OPERATIONS,
    },
    direct=frozenset(_INVOKE),
    permissions=PERMISSIONS,
    body_limits=dict.fromkeys(_INVOKE, _EVENT_LIMIT),
    failure_code="ServiceException",
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=COVERAGE,
)
