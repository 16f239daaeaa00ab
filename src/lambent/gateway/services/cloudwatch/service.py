"""Amazon CloudWatch: metrics of functions, and those that functions and clients put themselves."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.permissions.needs import each
from lambent.gateway.services.cloudwatch.operations import OPERATIONS
from lambent.gateway.services.cloudwatch.permissions import METRICS, NAMESPACE
from lambent.telemetry.series.store import MetricStore

CLOUDWATCH: ServiceDefinition[MetricStore] = ServiceDefinition(
    name="cloudwatch",
    operations=OPERATIONS,
    permissions={
        **each("cloudwatch", ("PutMetricData",), METRICS, NAMESPACE),
        **each("cloudwatch", ("GetMetricData", "GetMetricStatistics", "ListMetrics"), METRICS),
    },
    failure_code="InternalServiceFault",
    coverage=Coverage(
        note="Metrics can be put, listed and read, with metric math. Periods below a minute are"
        " refused, as are alarms and dashboards."
    ),
)
