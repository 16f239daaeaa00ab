"""Use cases of custom domain names that are no row of the table."""

from typing import Any

from lambent.control.apis.domain_names import KINDS, new_target
from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.kinds import Params
from lambent.control.apis.use_cases import Dialect, Resources
from lambent.model.arn import Scope
from lambent.model.document import Body
from lambent.store.store import Store


class DomainNames:
    """Use cases of domain names and their mappings."""

    def __init__(self, store: Store, dialect: Dialect, domain: str) -> None:
        self._domain = domain
        self.resources = Resources(store, dialect, KINDS)
        """Operations that are rows of the table of kinds."""

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateDomainName."""
        name = params["DomainName"]
        made = {
            "ApiMappingSelectionExpression": "$request.basepath",
            "DomainNameArn": f"arn:aws:apigateway:{scope.region}::/domainnames/{name}",
            "DomainNameConfigurations": self._configurations(scope, params, ()),
        }
        return await self.resources.create("domain_name")(scope, {**params, **made})

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateDomainName."""
        if "DomainNameConfigurations" in params:
            before = await self.resources.get("domain_name")(scope, params)
            configurations = self._configurations(scope, params, before["DomainNameConfigurations"])
            params = {**params, "DomainNameConfigurations": configurations}
        return await self.resources.update("domain_name")(scope, params)

    def _configurations(self, scope: Scope, params: Params, before: Any) -> list[Body]:
        given = params.get("DomainNameConfigurations") or [{}]
        if len(given) > 1:
            raise bad_request("A domain name has one DomainNameConfiguration")
        configuration = given[0]
        if configuration.get("EndpointType", "REGIONAL") != "REGIONAL":
            raise bad_request("EndpointType must be REGIONAL")
        if configuration.get("OwnershipVerificationCertificateArn"):
            raise unsupported("mutual TLS (OwnershipVerificationCertificateArn)")
        target = before[0]["ApiGatewayDomainName"] if before else new_target(scope, self._domain)
        return [
            {
                "EndpointType": "REGIONAL",
                "SecurityPolicy": "TLS_1_2",
                "IpAddressType": "ipv4",
                "HostedZoneId": "Z2FDTNDATAQYW2",
                **configuration,
                "ApiGatewayDomainName": target,
                "DomainNameStatus": "AVAILABLE",
            }
        ]
