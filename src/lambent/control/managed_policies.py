"""Managed policies: their versions, and to which users, roles and groups they are attached.

Policies of an account are stored. Those that AWS manages are data (`identity/aws_policies.py`).
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.control.identity_paging import iam_page
from lambent.control.identity_parts import (
    identity_key,
    new_id,
    read_document,
    require_identity,
)
from lambent.control.identity_tags import changed_tags, listed_tags
from lambent.control.identity_views import encoded, instant
from lambent.control.policies import to_json
from lambent.identity.aws_policies import aws_policies, find_aws_policy
from lambent.kit.clock import Clock
from lambent.model.arn import AccountId, Scope
from lambent.model.errors import ApiError
from lambent.model.identity import Identity, Kind
from lambent.model.managed_policy import (
    AWS,
    ManagedPolicy,
    PolicyKey,
    PolicyVersion,
    parse_policy_arn,
)
from lambent.store.store import Store, Transaction

logger = logging.getLogger(__name__)

Params = Mapping[str, Any]

_VERSIONS_MAX = 5
_ATTACHED_MAX = 10
_POLICIES_MAX = 1500
_NUMBER_MAX = 1 << 62
"""Higher than a version's number: the newest version comes first."""
_DOCUMENT_MAX = 6144
"""Characters of a document, without white space."""


class ManagedPolicies:
    """Use cases of managed policies."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreatePolicy."""
        key = PolicyKey(scope.account, params["PolicyName"])
        now = self._now()
        policy = ManagedPolicy(
            key=key,
            id=new_id("ANPA"),
            path=params.get("Path", "/"),
            description=params.get("Description", ""),
            created_ms=now,
            updated_ms=now,
            versions={1: PolicyVersion(document=_document(params), created_ms=now)},
            tags=changed_tags({}, params),
        )

        def run(tx: Transaction) -> None:
            if tx.identities.is_policy_taken(key):
                raise ApiError(
                    "EntityAlreadyExists",
                    f"A policy called {key.name} already exists. Duplicate names are not allowed.",
                    status=409,
                )
            if len(tx.identities.policies_of(scope.account)) >= _POLICIES_MAX:
                raise _over("PoliciesPerAccount", _POLICIES_MAX)
            tx.identities.put_policy(policy)

        await self._change(scope.account, run)
        return {"Policy": _view(policy, attached=0)}

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetPolicy."""

        def run(tx: Transaction) -> Params:
            policy = _require(tx, scope, params)
            return _view(policy, len(_users_of(tx, scope.account, policy.arn)), is_whole=True)

        return {"Policy": await self._store.read(run)}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeletePolicy; refused while it is attached or has versions besides the default."""

        def run(tx: Transaction) -> None:
            policy = _require_own(tx, scope, params)
            if _users_of(tx, scope.account, policy.arn):
                raise _conflict("Cannot delete a policy attached to entities.")
            if len(policy.versions) > 1:
                raise _conflict(
                    "This policy has more than one version. Before you delete a policy, you must"
                    " delete the policy's versions. The default version is deleted with the policy."
                )
            tx.identities.delete_policy(policy.key)

        await self._change(scope.account, run)
        return {}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListPolicies."""
        which = params.get("Scope", "All")
        prefix = params.get("PathPrefix", "/")

        def run(tx: Transaction) -> tuple[Sequence[ManagedPolicy], Mapping[str, int]]:
            found = [] if which == AWS.upper() else tx.identities.policies_of(scope.account)
            if which != "Local":
                found += aws_policies().values()
            return found, _counts(tx, scope.account)

        found, counts = await self._store.read(run)
        wanted = [
            policy
            for policy in found
            if policy.path.startswith(prefix)
            and (counts.get(policy.arn) or not params.get("OnlyAttached"))
            and params.get("PolicyUsageFilter") != "PermissionsBoundary"
        ]
        page, more = iam_page(wanted, params, lambda policy: policy.arn)
        views = [_view(policy, counts.get(policy.arn, 0)) for policy in page]
        return {"Policies": views, **more}

    async def create_version(self, scope: Scope, params: Params) -> Params:
        """CreatePolicyVersion."""
        version = PolicyVersion(document=_document(params), created_ms=self._now())
        is_default = params.get("SetAsDefault", False)

        def run(tx: Transaction) -> ManagedPolicy:
            policy = _require_own(tx, scope, params)
            if len(policy.versions) >= _VERSIONS_MAX:
                raise ApiError(
                    "LimitExceeded",
                    f"A managed policy can have up to {_VERSIONS_MAX} versions. Before you create"
                    " a new version, you must delete an existing version.",
                    status=409,
                )
            number = policy.last + 1
            changed = dataclasses.replace(
                policy,
                versions={**policy.versions, number: version},
                last=number,
                default=number if is_default else policy.default,
                updated_ms=version.created_ms,
            )
            tx.identities.put_policy(changed)
            return changed

        policy = await self._change(scope.account, run)
        return {"PolicyVersion": _version_view(policy, policy.last)}

    async def get_version(self, scope: Scope, params: Params) -> Params:
        """GetPolicyVersion."""
        policy = await self._store.read(lambda tx: _require(tx, scope, params))
        number = _require_version(policy, params)
        document = encoded(policy.versions[number].document)
        return {"PolicyVersion": {"Document": document, **_version_view(policy, number)}}

    async def list_versions(self, scope: Scope, params: Params) -> Params:
        """ListPolicyVersions, the newest first."""
        policy = await self._store.read(lambda tx: _require(tx, scope, params))
        page, more = iam_page(
            list(policy.versions), params, lambda number: f"{_NUMBER_MAX - number:020}"
        )
        return {"Versions": [_version_view(policy, number) for number in page], **more}

    async def delete_version(self, scope: Scope, params: Params) -> Params:
        """DeletePolicyVersion."""

        def run(tx: Transaction) -> None:
            policy = _require_own(tx, scope, params)
            number = _require_version(policy, params)
            if number == policy.default:
                raise _conflict("Cannot delete the default version of a policy.")
            rest = {each: value for each, value in policy.versions.items() if each != number}
            changed = dataclasses.replace(policy, versions=rest, updated_ms=self._now())
            tx.identities.put_policy(changed)

        await self._change(scope.account, run)
        return {}

    async def set_default_version(self, scope: Scope, params: Params) -> Params:
        """SetDefaultPolicyVersion."""

        def run(tx: Transaction) -> None:
            policy = _require_own(tx, scope, params)
            number = _require_version(policy, params)
            changed = dataclasses.replace(policy, default=number, updated_ms=self._now())
            tx.identities.put_policy(changed)

        await self._change(scope.account, run)
        return {}

    async def tag(self, scope: Scope, params: Params) -> Params:
        """TagPolicy, UntagPolicy."""

        def run(tx: Transaction) -> None:
            policy = _require_own(tx, scope, params)
            tags = changed_tags(policy.tags, params)
            tx.identities.put_policy(dataclasses.replace(policy, tags=tags))

        await self._change(scope.account, run)
        return {}

    async def list_tags(self, scope: Scope, params: Params) -> Params:
        """ListPolicyTags."""
        policy = await self._store.read(lambda tx: _require(tx, scope, params))
        page, more = iam_page(listed_tags(policy.tags), params, lambda tag: tag["Key"])
        return {"Tags": page, **more}

    # -- attachments -----------------------------------------------------------------------------

    async def attach(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """AttachUserPolicy, AttachRolePolicy, AttachGroupPolicy. Any policy of AWS can be attached;
        those that are not known here allow nothing."""
        key, arn = identity_key(scope, params, kind), params["PolicyArn"]

        def run(tx: Transaction) -> None:
            identity = require_identity(tx, key)
            if not _is_attachable(tx, scope.account, arn):
                raise _missing(f"Policy {arn} does not exist or is not attachable.")
            attached = {*identity.attached, arn}
            if len(attached) > _ATTACHED_MAX:
                raise _over(f"PoliciesPer{kind.title()}", _ATTACHED_MAX)
            tx.identities.put(dataclasses.replace(identity, attached=sorted(attached)))

        await self._change(scope.account, run)
        if arn.startswith(f"arn:aws:iam::{AWS}:") and find_aws_policy(arn) is None:
            logger.warning(
                "%s is attached to the %s %s and allows nothing: its document is not known here",
                arn,
                kind,
                key.name,
            )
        return {}

    async def detach(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """DetachUserPolicy, DetachRolePolicy, DetachGroupPolicy."""
        key, arn = identity_key(scope, params, kind), params["PolicyArn"]

        def run(tx: Transaction) -> None:
            identity = require_identity(tx, key)
            if arn not in identity.attached:
                raise _missing(f"Policy {arn} was not found.")
            rest = [each for each in identity.attached if each != arn]
            tx.identities.put(dataclasses.replace(identity, attached=rest))

        await self._change(scope.account, run)
        return {}

    async def list_attached(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """ListAttachedUserPolicies, ListAttachedRolePolicies, ListAttachedGroupPolicies."""
        key, prefix = identity_key(scope, params, kind), params.get("PathPrefix", "/")
        identity = await self._store.read(lambda tx: require_identity(tx, key))
        below = [arn for arn in identity.attached if _path_of(arn).startswith(prefix)]
        page, more = iam_page(below, params, _name_of)
        attached = [{"PolicyName": _name_of(arn), "PolicyArn": arn} for arn in page]
        return {"AttachedPolicies": attached, **more}

    async def list_entities(self, scope: Scope, params: Params) -> Params:
        """ListEntitiesForPolicy."""
        arn, prefix = params["PolicyArn"], params.get("PathPrefix", "/")
        kinds = {"User": "user", "Role": "role", "Group": "group"}
        only = params.get("EntityFilter")
        wanted = set(kinds.values()) if only is None else {kinds.get(only)}
        if params.get("PolicyUsageFilter") == "PermissionsBoundary":
            wanted = set()

        def run(tx: Transaction) -> Sequence[Identity]:
            if not _is_attachable(tx, scope.account, arn):
                raise _missing(f"Policy {arn} was not found.")
            return _users_of(tx, scope.account, arn)

        found = [
            identity
            for identity in await self._store.read(run)
            if identity.key.kind in wanted and identity.path.startswith(prefix)
        ]
        page, more = iam_page(found, params, lambda each: f"{each.key.kind}/{each.key.name}")
        entities: dict[str, list[Params]] = {"user": [], "role": [], "group": []}
        for identity in page:
            noun = identity.key.kind.title()
            members = {f"{noun}Name": identity.key.name, f"{noun}Id": identity.id}
            entities[identity.key.kind].append(members)
        return {
            "PolicyGroups": entities["group"],
            "PolicyUsers": entities["user"],
            "PolicyRoles": entities["role"],
            **more,
        }

    def _now(self) -> int:
        return int(self._clock.now() * 1000)

    async def _change(self, account: AccountId, work: Callable[[Transaction], Any]) -> Any:
        """Change policies of an account while no other transaction does."""

        def run(tx: Transaction) -> Any:
            tx.locks.account(account)
            return work(tx)

        return await self._store.transact(run)


def _find(tx: Transaction, account: AccountId, arn: str) -> ManagedPolicy | None:
    """The policy with this ARN, of the account or of AWS."""
    key = parse_policy_arn(arn)
    if key is None or key.account not in (account, AWS):
        return None
    if key.account == AWS:
        return find_aws_policy(arn)
    policy = tx.identities.policy(key)
    return policy if policy is not None and policy.arn == arn else None


def _is_attachable(tx: Transaction, account: AccountId, arn: str) -> bool:
    key = parse_policy_arn(arn)
    return (key is not None and key.account == AWS) or _find(tx, account, arn) is not None


def _require(tx: Transaction, scope: Scope, params: Params) -> ManagedPolicy:
    arn = params["PolicyArn"]
    policy = _find(tx, scope.account, arn)
    if policy is None:
        raise _missing(f"Policy {arn} was not found.")
    return policy


def _require_own(tx: Transaction, scope: Scope, params: Params) -> ManagedPolicy:
    """As `_require`, of a policy that the account may change."""
    policy = _require(tx, scope, params)
    if policy.key.account == AWS:
        raise ApiError(
            "AccessDenied", f"{policy.arn} is managed by AWS and cannot be changed.", status=403
        )
    return policy


def _require_version(policy: ManagedPolicy, params: Params) -> int:
    """The number of the version that a request names."""
    wanted = params["VersionId"]
    number = next((each for each in policy.versions if f"v{each}" == wanted), None)
    if number is None:
        raise _missing(f"Policy {policy.arn} version {wanted} does not exist or is not attachable.")
    return number


def _users_of(tx: Transaction, account: AccountId, arn: str) -> Sequence[Identity]:
    """The users, roles and groups that a policy is attached to."""
    kinds: tuple[Kind, ...] = ("user", "role", "group")
    return [
        identity
        for kind in kinds
        for identity in tx.identities.list_of(account, kind)
        if arn in identity.attached
    ]


def _counts(tx: Transaction, account: AccountId) -> Mapping[str, int]:
    """How many users, roles and groups each policy is attached to, by ARN."""
    counts: dict[str, int] = {}
    kinds: tuple[Kind, ...] = ("user", "role", "group")
    for kind in kinds:
        for identity in tx.identities.list_of(account, kind):
            for arn in identity.attached:
                counts[arn] = counts.get(arn, 0) + 1
    return counts


def _document(params: Params) -> Mapping[str, Any]:
    document = read_document(params["PolicyDocument"], "identity")
    if len(to_json(document)) > _DOCUMENT_MAX:
        raise _over("PolicySize", _DOCUMENT_MAX)
    return document


def _view(policy: ManagedPolicy, attached: int, *, is_whole: bool = False) -> Params:
    """`Policy` of the API. Lists show neither description nor tags."""
    members: dict[str, Any] = {
        "PolicyName": policy.key.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default}",
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": instant(policy.created_ms),
        "UpdateDate": instant(policy.updated_ms),
    }
    if is_whole:
        members |= {"Description": policy.description, "Tags": listed_tags(policy.tags)}
    return members


def _version_view(policy: ManagedPolicy, number: int) -> Params:
    """`PolicyVersion` of the API, without the document."""
    return {
        "VersionId": f"v{number}",
        "IsDefaultVersion": number == policy.default,
        "CreateDate": instant(policy.versions[number].created_ms),
    }


def _name_of(arn: str) -> str:
    return arn.rpartition("/")[2]


def _path_of(arn: str) -> str:
    return "/" + arn.partition("/")[2].removesuffix(_name_of(arn))


def _missing(message: str) -> ApiError:
    return ApiError("NoSuchEntity", message, status=404)


def _conflict(message: str) -> ApiError:
    return ApiError("DeleteConflict", message, status=409)


def _over(quota: str, limit: int) -> ApiError:
    return ApiError("LimitExceeded", f"Cannot exceed quota for {quota}: {limit}", status=409)
