"""Amazon CloudFront: distributions, and functions at the edge."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.cloudfront.operations import OPERATIONS, CloudFrontRooms
from lambent.gateway.services.cloudfront.permissions import (
    DIFFERENCES,
    PERMISSIONS,
    RESOURCE_NAMES,
)

_REFUSED = tuple(
    f"DistributionConfig.{path}"
    for path in (
        *("Logging.Enabled", "WebACLId", "Restrictions.GeoRestriction (other than none)"),
        *("TrustedSigners.Enabled", "TrustedKeyGroups.Enabled", "SmoothStreaming"),
        *("FieldLevelEncryptionId", "RealtimeLogConfigArn", "GrpcConfig.Enabled"),
        *("VpcOriginConfig", "ResponseCompletionTimeout", "OriginMtlsConfig"),
        *("SelectionCriteria=media-quality-based", "ContinuousDeploymentPolicyId", "Staging"),
        *("AnycastIpListId", "TenantConfig", "ConnectionMode=tenant-only", "ViewerMtlsConfig"),
        *("ConnectionFunctionAssociation", "CacheTagConfig"),
        "ViewerCertificate.MinimumProtocolVersion=TLSv1.3_2025",
    )
)
_STORED = tuple(
    f"DistributionConfig.{path}"
    for path in (
        *("PriceClass", "HttpVersion (viewers get HTTP/1.1)", "IsIPV6Enabled", "OriginShield"),
        *("ViewerCertificate", "OriginKeepaliveTimeout"),
    )
)
_FUNCTION = ("FunctionConfig.KeyValueStoreAssociations",)

CLOUDFRONT: ServiceDefinition[CloudFrontRooms] = ServiceDefinition(
    name="cloudfront",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    failure_code="InternalError",
    unoffered_code="UnsupportedOperation",
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Distributions, invalidations, policies, Lambda@Edge and CloudFront Functions."
        " [CloudFront](../cloudfront.md) describes them. Signed URLs, web ACLs, logs, key value"
        " stores, tenants and streaming distributions are not offered.",
        stored=dict.fromkeys(("CreateDistribution", "UpdateDistribution"), _STORED),
        refused={
            **dict.fromkeys(("CreateDistribution", "UpdateDistribution"), _REFUSED),
            **dict.fromkeys(("CreateFunction", "UpdateFunction"), _FUNCTION),
            "CreateResponseHeadersPolicy": (
                "ResponseHeadersPolicyConfig.ServerTimingHeadersConfig.Enabled",
            ),
        },
    ),
)
