"""Amazon Cognito: user pools."""

from lambent.control.cognito.pool_rules import REFUSED
from lambent.control.cognito.room import UserPools
from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.cognito_idp.operations import OPERATIONS
from lambent.gateway.services.cognito_idp.permissions import (
    DIFFERENCES,
    PERMISSIONS,
    RESOURCE_NAMES,
)

_POOL_REFUSED = (*REFUSED, "DeviceConfiguration")

COGNITO_IDP: ServiceDefinition[UserPools] = ServiceDefinition(
    name="cognito-idp",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    failure_code="InternalErrorException",
    unoffered_code="OperationNotEnabledException",
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="User pools with clients, groups, tokens, second factors and all triggers, if no other"
        " server is configured. [User pools](../cognito.md) describes them. The hosted UI, other"
        " identity providers, remembered devices, passkeys and threat protection are not offered.",
        stored={
            "CreateUserPool": (
                *("SmsConfiguration", "SmsAuthenticationMessage", "UserPoolTier"),
                "UserPoolAddOns",
            ),
            "CreateUserPoolClient": (
                *("CallbackURLs", "LogoutURLs", "DefaultRedirectURI", "AllowedOAuthFlows"),
                *("AllowedOAuthScopes", "AllowedOAuthFlowsUserPoolClient"),
                *("SupportedIdentityProviders", "EnablePropagateAdditionalUserContextData"),
            ),
            "CreateUserPoolDomain": ("Domain", "ManagedLoginVersion"),
            "CreateResourceServer": ("Scopes",),
        },
        refused={
            "CreateUserPool": _POOL_REFUSED,
            "UpdateUserPool": ("DeviceConfiguration",),
            "CreateUserPoolClient": ("AnalyticsConfiguration",),
            "UpdateUserPoolClient": ("AnalyticsConfiguration",),
            "CreateUserPoolDomain": ("CustomDomainConfig",),
            "UpdateUserPoolDomain": ("CustomDomainConfig",),
            "SetUserPoolMfaConfig": ("WebAuthnConfiguration",),
        },
    ),
)
