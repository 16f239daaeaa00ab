"""Custom domain names and their base path mappings, as REST APIs have them: what is stored has the
form of `apigatewayv2`."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.domain_names import NO_PATH, new_target
from lambent.control.apis.errors import not_found, unsupported
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.patch_tables import BASE_PATH_MAPPING, DOMAIN_NAME
from lambent.control.apis.v1.patches import read_patches
from lambent.control.apis.v1.rules.apis import check_endpoint, check_security
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document

_HOSTED_ZONE = "Z2FDTNDATAQYW2"
_REFUSED = {
    "mutualTlsAuthentication": "mutual TLS",
    "ownershipVerificationCertificateArn": "mutual TLS",
    "policy": "policies of domain names",
    "certificateBody": "certificates in requests: name them by ARN",
    "certificatePrivateKey": "certificates in requests: name them by ARN",
    "certificateChain": "certificates in requests: name them by ARN",
}
_CONFIGURED = {
    "CertificateArn": ("certificateArn", "regionalCertificateArn"),
    "CertificateName": ("certificateName", "regionalCertificateName"),
    "ApiGatewayDomainName": ("distributionDomainName", "regionalDomainName"),
    "HostedZoneId": ("distributionHostedZoneId", "regionalHostedZoneId"),
}
"""Members of a configuration, and how they are called here: of `EDGE`, else of `REGIONAL`."""
_MAPPING = {"basePath": "ApiMappingKey", "restApiId": "ApiId", "stage": "Stage"}


def create(work: Work, params: Params) -> Params:
    """CreateDomainName."""
    for member, what in _REFUSED.items():
        if params.get(member):
            raise unsupported(what)
    if params.get("routingMode", "BASE_PATH_MAPPING_ONLY") != "BASE_PATH_MAPPING_ONLY":
        raise unsupported("routing rules")
    name = params["domainName"]
    given = {
        "Tags": params.get("tags") or {},
        "ApiMappingSelectionExpression": "$request.basepath",
        "DomainNameArn": f"arn:aws:apigateway:{work.scope.region}::/domainnames/{name}",
        "DomainNameConfigurations": [_configuration(params, new_target(work.scope, work.domain))],
    }
    return shown(work.collection("domain_name", {"DomainName": name}).create(name, given))


def get(work: Work, params: Params) -> Params:
    """GetDomainName."""
    return shown(_require(work, params))


def list_all(work: Work, params: Params) -> Params:
    """GetDomainNames: by name."""
    return generic.page(work.collection("domain_name", {}).list(), params, show=shown)


def update(work: Work, params: Params) -> Params:
    """UpdateDomainName."""
    before = _require(work, params)
    body = DOMAIN_NAME.apply(shown(before), read_patches(params.get("patchOperations")))
    target = before.body["DomainNameConfigurations"][0]["ApiGatewayDomainName"]
    changed = {**before.body, "DomainNameConfigurations": [_configuration(body, target)]}
    names = work.collection("domain_name", {"DomainName": before.id})
    return shown(names.replace(before.id, changed))


def delete(work: Work, params: Params) -> Params:
    """DeleteDomainName, with its mappings."""
    name = _require(work, params).id
    work.collection("domain_name", {"DomainName": name}).delete(name)
    return {}


def shown(document: Document) -> dict[str, Any]:
    """The output members of a domain name."""
    configuration = document.body["DomainNameConfigurations"][0]
    kind = configuration["EndpointType"]
    members = {
        "domainName": document.id,
        "domainNameArn": document.body.get("DomainNameArn"),
        "domainNameStatus": configuration["DomainNameStatus"],
        "securityPolicy": configuration["SecurityPolicy"],
        "endpointConfiguration": {
            "types": [kind],
            "ipAddressType": configuration["IpAddressType"],
        },
        "routingMode": "BASE_PATH_MAPPING_ONLY",
        "tags": document.body.get("Tags"),
    }
    for stored, (edge, regional) in _CONFIGURED.items():
        members[edge if kind == "EDGE" else regional] = configuration.get(stored)
    return {name: value for name, value in members.items() if value}


def map_path(work: Work, params: Params) -> Params:
    """CreateBasePathMapping."""
    domain = _require(work, params).id
    mappings = work.collection("api_mapping", {"DomainName": domain})
    return _shown_mapping(mappings.create(None, _mapping(params)))


def get_mapping(work: Work, params: Params) -> Params:
    """GetBasePathMapping."""
    return _shown_mapping(_require_mapping(work, params))


def list_mappings(work: Work, params: Params) -> Params:
    """GetBasePathMappings."""
    domain = _require(work, params).id
    found = work.collection("api_mapping", {"DomainName": domain}).list()
    return generic.page(found, params, show=_shown_mapping)


def update_mapping(work: Work, params: Params) -> Params:
    """UpdateBasePathMapping."""
    before = _require_mapping(work, params)
    patches = read_patches(params.get("patchOperations"))
    body = BASE_PATH_MAPPING.apply(_shown_mapping(before), patches)
    body["restApiId"] = body.pop("restapiId", body["restApiId"])
    domain, _, id = before.id.partition("/")
    mappings = work.collection("api_mapping", {"DomainName": domain})
    return _shown_mapping(mappings.replace(id, {"ApiMappingId": id, **_mapping(body)}))


def unmap(work: Work, params: Params) -> Params:
    """DeleteBasePathMapping."""
    domain, _, id = _require_mapping(work, params).id.partition("/")
    work.collection("api_mapping", {"DomainName": domain}).delete(id)
    return {}


def _require(work: Work, params: Params) -> Document:
    name = params["domainName"]
    return work.collection("domain_name", {"DomainName": name}).require(name)


def _configuration(params: Mapping[str, Any], target: str) -> dict[str, Any]:
    """What is configured, of members as they are called here."""
    check_security(params)
    endpoint = check_endpoint(params.get("endpointConfiguration") or {})
    kind = endpoint["types"][0]
    configuration = {
        "EndpointType": kind,
        "SecurityPolicy": params.get("securityPolicy", "TLS_1_2"),
        "IpAddressType": endpoint["ipAddressType"],
        "DomainNameStatus": "AVAILABLE",
    }
    for stored, (edge, regional) in _CONFIGURED.items():
        value = params.get(edge if kind == "EDGE" else regional)
        if value:
            configuration[stored] = value
    return {**configuration, "HostedZoneId": _HOSTED_ZONE, "ApiGatewayDomainName": target}


def _mapping(params: Mapping[str, Any]) -> dict[str, Any]:
    if not params.get("stage"):
        raise unsupported("base path mappings without a stage")
    path = params.get("basePath") or ""
    return {
        "ApiId": params["restApiId"],
        "Stage": params["stage"],
        "ApiMappingKey": "" if path == NO_PATH else path,
    }


def _require_mapping(work: Work, params: Params) -> Document:
    domain = _require(work, params).id
    path = "" if params["basePath"] == NO_PATH else params["basePath"]
    for mapping in work.collection("api_mapping", {"DomainName": domain}).list():
        if mapping.body.get("ApiMappingKey", "") == path:
            return mapping
    raise not_found("Invalid base path mapping identifier specified")


def _shown_mapping(mapping: Document) -> dict[str, Any]:
    members = {name: mapping.body.get(stored) for name, stored in _MAPPING.items()}
    members["basePath"] = members["basePath"] or NO_PATH
    return {name: value for name, value in members.items() if value}


READS: Mapping[str, Function] = {
    "GetDomainName": get,
    "GetDomainNames": list_all,
    "GetBasePathMapping": get_mapping,
    "GetBasePathMappings": list_mappings,
}
WRITES: Mapping[str, Function] = {
    "CreateDomainName": create,
    "UpdateDomainName": update,
    "DeleteDomainName": delete,
    "CreateBasePathMapping": map_path,
    "UpdateBasePathMapping": update_mapping,
    "DeleteBasePathMapping": unmap,
}
