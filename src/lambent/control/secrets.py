"""Secrets of Secrets Manager.

A secret is one document with its versions, whose values are stored as they are: who can read the
database can read them.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
"""

import base64
import datetime
import secrets
import string
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.control import plain_tags
from lambent.control.paging import make_name_page, read_name_marker
from lambent.kit.clock import Clock
from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_SERVICE, _KIND = "secretsmanager", "secret"
_CURRENT, _PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
_NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "/_+=.@-")
_NAME_LENGTH_MAX = 256
_SUFFIX_LENGTH = 6
_VALUE_BYTES_MAX = 65_536
_VERSIONS_MAX = 100
_SECRETS_MAX = 10_000
_DAY_S = 86_400
_PAGE_MAX = 100
_REFUSED = ("AddReplicaRegions", "Type", "RotationToken")


class Secrets:
    """Use cases of secrets."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateSecret."""
        name, root = params["Name"], Root(_SERVICE, *scope, "")
        _check_offered(params)
        if len(name) > _NAME_LENGTH_MAX or not _NAME_CHARACTERS.issuperset(name):
            raise _invalid_parameter(
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of"
                f" the following: /_+=.@-, with at most {_NAME_LENGTH_MAX} characters"
            )
        now = self._clock.now()
        suffix = "".join(
            secrets.choice(string.ascii_letters + string.digits) for _ in range(_SUFFIX_LENGTH)
        )
        tags = plain_tags.changed(
            {}, plain_tags.from_list(params.get("Tags")), code="LimitExceededException"
        )
        body: Body = {
            "suffix": suffix,
            "created": now,
            "changed": now,
            "versions": {},
            plain_tags.TAGS: tags,
            **{key: params[key] for key in ("Description", "KmsKeyId") if key in params},
        }
        version = _version_id(params)
        if _has_value(params):
            body = _with_version(body, version, params, [_CURRENT], now)

        def run(tx: Transaction) -> Document:
            tx.locks.scope(scope)
            found = tx.documents.get(root, _KIND, name)
            if found is not None and not self._is_gone(found):
                if "deleted" in found.body:
                    raise _invalid_request(
                        "You can't create this secret because a secret with this name is already"
                        " scheduled for deletion."
                    )
                raise ApiError(
                    "ResourceExistsException",
                    f"The operation failed because the secret {name} already exists.",
                )
            if len(tx.documents.list_of(root, _KIND)) >= _SECRETS_MAX:
                raise ApiError("LimitExceededException", f"At most {_SECRETS_MAX} secrets.")
            return tx.documents.put(root, _KIND, name, body)

        made = await self._store.transact(run)
        return {**_named(made), **({"VersionId": version} if _has_value(params) else {})}

    async def get_value(self, scope: Scope, params: Params) -> Params:
        """GetSecretValue."""
        found = await self._store.read(lambda tx: self._require(tx, scope, params))
        versions = found.body["versions"]
        wanted, stage = params.get("VersionId"), params.get("VersionStage")
        named = wanted or _staged(versions, stage or _CURRENT)
        version = versions.get(named)
        if version is None or (wanted and stage and stage not in version["stages"]):
            text = f"staging label: {stage or _CURRENT}" if not wanted else f"VersionId: {wanted}"
            raise _missing(f"Secrets Manager can't find the specified secret value for {text}")
        value: Params = (
            {"SecretString": version["string"]}
            if "string" in version
            else {"SecretBinary": base64.b64decode(version["binary"])}
        )
        return {
            **_named(found),
            **value,
            "VersionId": named,
            "VersionStages": version["stages"],
            "CreatedDate": _instant(version["created"]),
        }

    async def put_value(self, scope: Scope, params: Params) -> Params:
        """PutSecretValue."""
        _check_offered(params)
        if not _has_value(params):
            raise _invalid_request("You must provide either SecretString or SecretBinary.")
        version, stages = _version_id(params), params.get("VersionStages") or [_CURRENT]
        found = await self._change(
            scope,
            params,
            lambda body: _with_version(body, version, params, stages, self._clock.now()),
        )
        shown = found.body["versions"][version]["stages"]
        return {**_named(found), "VersionId": version, "VersionStages": shown}

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateSecret: change what the request has."""
        _check_offered(params)
        version, now = _version_id(params), self._clock.now()

        def change(body: Body) -> Body:
            given = {key: params[key] for key in ("Description", "KmsKeyId") if key in params}
            changed: Body = {**body, **given, "changed": now}
            if _has_value(params):
                changed = _with_version(changed, version, params, [_CURRENT], now)
            return changed

        found = await self._change(scope, params, change)
        return {**_named(found), **({"VersionId": version} if _has_value(params) else {})}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteSecret: at once, or at the end of the recovery window."""
        days, forced = params.get("RecoveryWindowInDays"), params.get("ForceDeleteWithoutRecovery")
        if forced and days is not None:
            raise _invalid_parameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
            )
        if days is not None and not 7 <= days <= 30:
            raise _invalid_parameter(
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."
            )
        ends = self._clock.now() + (0 if forced else (days or 30) * _DAY_S)

        def run(tx: Transaction) -> Document:
            tx.locks.scope(scope)
            found = self._require(tx, scope, params, is_deleted_too=bool(forced))
            if forced:
                tx.documents.delete(found.root, _KIND, found.id)
                return found
            return tx.documents.put(found.root, _KIND, found.id, {**found.body, "deleted": ends})

        return {**_named(await self._store.transact(run)), "DeletionDate": _instant(ends)}

    async def restore(self, scope: Scope, params: Params) -> Params:
        """RestoreSecret."""
        found = await self._change(
            scope,
            params,
            lambda body: {name: value for name, value in body.items() if name != "deleted"},
            is_deleted_too=True,
        )
        return _named(found)

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeSecret."""
        found = await self._store.read(
            lambda tx: self._require(tx, scope, params, is_deleted_too=True)
        )
        stages = _stages_of(found)
        return {**_view(found), **({"VersionIdsToStages": stages} if stages else {})}

    async def no_policy(self, scope: Scope, params: Params) -> Params:
        """GetResourcePolicy: secrets have no policies of their own."""
        return _named(await self._store.read(lambda tx: self._require(tx, scope, params)))

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListSecrets."""
        after = read_name_marker(params.get("NextToken"))
        size = min(params.get("MaxResults") or _PAGE_MAX, _PAGE_MAX)
        tests = [_filter(each) for each in params.get("Filters") or ()]
        root = Root(_SERVICE, *scope, "")
        listed = await self._store.read(lambda tx: tx.documents.list_of(root, _KIND))
        fitting = [
            each
            for each in listed
            if each.id > after
            and not self._is_gone(each)
            and ("deleted" not in each.body or params.get("IncludePlannedDeletion"))
            and all(test(each) for test in tests)
        ]
        page = make_name_page(sorted(fitting, key=lambda each: each.id), size, lambda each: each.id)
        views = [
            {
                **_view(each),
                "SecretVersionsToStages": _stages_of(each),
            }
            for each in page.items
        ]
        more = {} if page.next_marker is None else {"NextToken": page.next_marker}
        return {"SecretList": views, **more}

    async def tag(self, scope: Scope, params: Params) -> Params:
        """TagResource, UntagResource."""

        def change(body: Body) -> Body:
            tags = plain_tags.changed(
                body[plain_tags.TAGS],
                plain_tags.from_list(params.get("Tags")),
                params.get("TagKeys") or (),
                code="LimitExceededException",
            )
            return {**body, plain_tags.TAGS: tags}

        await self._change(scope, params, change)
        return {}

    async def _change(
        self,
        scope: Scope,
        params: Params,
        change: Callable[[Body], Body],
        *,
        is_deleted_too: bool = False,
    ) -> Document:
        def run(tx: Transaction) -> Document:
            tx.locks.scope(scope)
            found = self._require(tx, scope, params, is_deleted_too=is_deleted_too)
            return tx.documents.put(found.root, _KIND, found.id, change(found.body))

        return await self._store.transact(run)

    def _require(
        self, tx: Transaction, scope: Scope, params: Params, *, is_deleted_too: bool = False
    ) -> Document:
        """The secret that a request names. Raises `ResourceNotFoundException`, or
        `InvalidRequestException` if it is to be deleted."""
        found = find_secret(tx, scope, params["SecretId"])
        if found is None or self._is_gone(found):
            raise _missing("Secrets Manager can't find the specified secret.")
        if "deleted" in found.body and not is_deleted_too:
            raise _invalid_request(
                "You can't perform this operation on the secret because it was marked for deletion."
            )
        return found

    def _is_gone(self, found: Document) -> bool:
        """Whether its recovery window is over."""
        ends: float | None = found.body.get("deleted")
        return ends is not None and ends <= self._clock.now()


def find_secret(tx: Transaction, scope: Scope, text: str) -> Document | None:
    """The secret with a name or an ARN, with or without the ARN's last six characters; None if
    there is none."""
    name, suffix = text, ""
    if text.startswith("arn:"):
        arn = Arn.try_parse(text)
        if arn is None or arn.scope != scope or not arn.resource.startswith("secret:"):
            return None
        name = arn.resource.removeprefix("secret:")
        found = _get(tx, scope, name)
        if found is not None:
            return found
        name, _, suffix = name.rpartition("-")
    found = _get(tx, scope, name)
    return found if found is None or not suffix or found.body["suffix"] == suffix else None


def secret_arn(scope: Scope, name: str, suffix: str) -> str:
    """The ARN of a secret."""
    return f"arn:aws:secretsmanager:{scope.region}:{scope.account}:secret:{name}-{suffix}"


def random_password(params: Params) -> str:
    """GetRandomPassword. Raises `InvalidParameterException`."""
    kinds = [
        characters
        for member, characters in (
            ("ExcludeLowercase", string.ascii_lowercase),
            ("ExcludeUppercase", string.ascii_uppercase),
            ("ExcludeNumbers", string.digits),
            ("ExcludePunctuation", string.punctuation),
        )
        if not params.get(member)
    ]
    if params.get("IncludeSpace"):
        kinds.append(" ")
    excluded = set(params.get("ExcludeCharacters", ""))
    kept = ["".join(each for each in kind if each not in excluded) for kind in kinds]
    kept = [kind for kind in kept if kind]
    length: int = params.get("PasswordLength", 32)
    if not kept or not 1 <= length <= 4096:
        raise _invalid_parameter("No characters are left, or the length is not from 1 to 4096.")
    every = "".join(kept)
    chosen = [secrets.choice(every) for _ in range(length)]
    if params.get("RequireEachIncludedType", True):
        if length < len(kept):
            raise _invalid_parameter("The password is too short for each included type.")
        for at, kind in enumerate(kept):
            chosen[at] = secrets.choice(kind)
        secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


def _get(tx: Transaction, scope: Scope, name: str) -> Document | None:
    if len(name) > _NAME_LENGTH_MAX:
        return None
    return tx.documents.get(Root(_SERVICE, *scope, ""), _KIND, name)


def _check_offered(params: Params) -> None:
    for member in _REFUSED:
        if params.get(member):
            raise _invalid_parameter(f"Lambent does not offer {member}: leave it out.")


def _has_value(params: Params) -> bool:
    return "SecretString" in params or "SecretBinary" in params


def _version_id(params: Params) -> str:
    token: str | None = params.get("ClientRequestToken")
    return token or str(uuid.uuid4())


def _staged(versions: Mapping[str, Params], stage: str) -> str | None:
    return next((id for id, version in versions.items() if stage in version["stages"]), None)


def _with_version(
    body: Body, id: str, params: Params, stages: Sequence[str], now: float
) -> dict[str, Any]:
    """The body with another version, and the stages moved to it. Raises `ApiError`."""
    if "SecretString" in params and "SecretBinary" in params:
        raise _invalid_parameter("You can't specify both SecretString and SecretBinary.")
    if "SecretString" in params:
        value = {"string": params["SecretString"]}
        size = len(params["SecretString"].encode("utf-8", "surrogatepass"))
    else:
        value = {"binary": base64.b64encode(params["SecretBinary"]).decode()}
        size = len(params["SecretBinary"])
    if size > _VALUE_BYTES_MAX:
        raise _invalid_parameter(f"A secret value has at most {_VALUE_BYTES_MAX} bytes.")
    versions: dict[str, Any] = {key: dict(each) for key, each in body["versions"].items()}
    known = versions.get(id)
    if known is not None and value.items() <= known.items():
        return dict(body)
    if known is not None:
        raise ApiError(
            "ResourceExistsException",
            "You can't modify an existing version, you can only create a new version.",
        )
    before = _staged(versions, _CURRENT)
    if _CURRENT in stages and before is not None:
        for version in versions.values():
            version["stages"] = [each for each in version["stages"] if each != _PREVIOUS]
        versions[before]["stages"] = [*versions[before]["stages"], _PREVIOUS]
    for version in versions.values():
        version["stages"] = [each for each in version["stages"] if each not in stages]
    versions[id] = {**value, "created": now, "stages": list(stages)}
    unstaged = [key for key, each in versions.items() if not each["stages"]]
    for key in unstaged[: max(len(versions) - _VERSIONS_MAX, 0)]:
        del versions[key]
    return {**body, "versions": versions, "changed": now}


def _filter(given: Params) -> Callable[[Document], bool]:
    """One filter of ListSecrets. Raises `InvalidParameterException`."""
    key: str = given.get("Key", "")
    values: Sequence[str] = given.get("Values") or []

    def fits(texts: Sequence[str]) -> bool:
        return any(
            text.startswith(value.removeprefix("!")) != value.startswith("!")
            for value in values
            for text in texts
        )

    texts_of: Mapping[str, Callable[[Document], Sequence[str]]] = {
        "name": lambda each: [each.id],
        "description": lambda each: [each.body.get("Description", "")],
        "tag-key": lambda each: list(each.body[plain_tags.TAGS]),
        "tag-value": lambda each: list(each.body[plain_tags.TAGS].values()),
    }
    if key not in texts_of:
        raise _invalid_parameter(f"Lambent does not offer the filter {key}.")
    return lambda each: fits(texts_of[key](each))


def _stages_of(document: Document) -> Mapping[str, Sequence[str]]:
    """The stages of each version that has any."""
    versions: Mapping[str, Params] = document.body["versions"]
    return {id: version["stages"] for id, version in versions.items() if version["stages"]}


def _named(document: Document) -> dict[str, Any]:
    arn = secret_arn(document.root.scope, document.id, document.body["suffix"])
    return {"ARN": arn, "Name": document.id}


def _view(document: Document) -> Params:
    """What DescribeSecret and ListSecrets show of a secret."""
    body = document.body
    members = {
        **_named(document),
        "Description": body.get("Description"),
        "KmsKeyId": body.get("KmsKeyId"),
        "LastChangedDate": _instant(body["changed"]),
        "CreatedDate": _instant(body["created"]),
        "Tags": plain_tags.to_list(body[plain_tags.TAGS]),
    }
    if "deleted" in body:
        members["DeletedDate"] = _instant(body["deleted"])
    return {name: value for name, value in members.items() if value is not None}


def _missing(message: str) -> ApiError:
    return ApiError("ResourceNotFoundException", message)


def _invalid_request(message: str) -> ApiError:
    return ApiError("InvalidRequestException", message)


def _invalid_parameter(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def _instant(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
