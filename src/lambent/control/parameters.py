"""Parameters of Systems Manager.

A parameter is one document with its versions. A `SecureString` is stored as it is: who can read the
database can read it.
https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html
"""

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.control import plain_tags
from lambent.control.paging import make_name_page, read_name_marker
from lambent.kit.clock import Clock
from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_SERVICE, _KIND = "ssm", "parameter"
_NAME = re.compile(r"/?[a-zA-Z0-9_.-]+(?:/[a-zA-Z0-9_.-]+)*")
_NAME_LENGTH_MAX = 256
_LEVELS_MAX = 15
_VALUE_BYTES_MAX = {"Standard": 4096, "Advanced": 8192, "Intelligent-Tiering": 8192}
_VERSIONS_MAX = 100
_PARAMETERS_MAX = 10_000
_SECURE = "SecureString"
_HIDDEN = "****"
"""What stands for the value of a SecureString that is not to be decrypted."""


class Selected(NamedTuple):
    """A name as a request spells it."""

    name: str
    version: int | None
    """None means the newest."""


class Parameters:
    """Use cases of parameters."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put(self, scope: Scope, params: Params, user_arn: str) -> Params:
        """PutParameter."""
        root = _root(scope)
        name = _new_name(scope, params["Name"])
        _check_offered(params)

        def run(tx: Transaction) -> Params:
            tx.locks.scope(scope)
            found = tx.documents.get(root, _KIND, name)
            if found is not None and not params.get("Overwrite"):
                raise ApiError(
                    "ParameterAlreadyExists",
                    "The parameter already exists. To overwrite this value, set the overwrite"
                    " option in the request to true.",
                )
            if found is None and len(tx.documents.list_of(root, _KIND)) >= _PARAMETERS_MAX:
                raise ApiError("ParameterLimitExceeded", f"At most {_PARAMETERS_MAX} parameters.")
            body = _changed(found.body if found is not None else {}, params)
            version = {
                **body["current"],
                "LastModifiedDate": self._clock.now(),
                "LastModifiedUser": user_arn,
            }
            number = body.pop("last", 0) + 1
            versions = {**body.get("versions", {}), str(number): version}
            for old in sorted(map(int, versions))[:-_VERSIONS_MAX]:
                del versions[str(old)]
            del body["current"]
            tx.documents.put(root, _KIND, name, {**body, "versions": versions, "last": number})
            return {"Version": number, "Tier": version["Tier"]}

        return await self._store.transact(run)

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetParameter."""
        wanted = select(scope, params["Name"])
        found = await self._store.read(lambda tx: _find(tx, scope, wanted.name))
        if found is None:
            raise _missing()
        number = wanted.version or found.body["last"]
        if str(number) not in found.body["versions"]:
            raise ApiError(
                "ParameterVersionNotFound",
                f"Systems Manager could not find version {number} of {wanted.name}. Verify the"
                " version and try again.",
            )
        view = dict(_view(found, number, params))
        if wanted.version is not None:
            view["Selector"] = f":{number}"
        return {"Parameter": view}

    async def get_several(self, scope: Scope, params: Params) -> Params:
        """GetParameters."""
        found, invalid = [], []
        for name in dict.fromkeys(params["Names"]):
            try:
                shown = await self.get(scope, {**params, "Name": name})
            except ApiError:
                invalid.append(name)
            else:
                found.append(shown["Parameter"])
        return {"Parameters": found, "InvalidParameters": invalid}

    async def get_below(self, scope: Scope, params: Params) -> Params:
        """GetParametersByPath."""
        path = params["Path"].rstrip("/") + "/"
        if not path.startswith("/"):
            raise ApiError(
                "ValidationException",
                'The parameter path must begin with a forward slash "/".',
            )

        def fits(document: Document) -> bool:
            below = document.id.removeprefix(path)
            is_below = document.id.startswith(path)
            return is_below and (params.get("Recursive", False) or "/" not in below)

        page, more = await self._page(scope, params, fits, 10)
        return {
            "Parameters": [_view(each, each.body["last"], params) for each in page],
            **more,
        }

    async def history(self, scope: Scope, params: Params) -> Params:
        """GetParameterHistory, all on one page."""
        name = select(scope, params["Name"]).name
        found = await self._store.read(lambda tx: _find(tx, scope, name))
        if found is None:
            raise _missing()
        numbers = sorted(map(int, found.body["versions"]))
        return {
            "Parameters": [
                {**_metadata(found, number), "Value": _view(found, number, params)["Value"]}
                for number in numbers
            ]
        }

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeParameters."""
        filters = [
            *(params.get("ParameterFilters") or ()),
            *(
                {"Key": each["Key"], "Option": "BeginsWith", "Values": each["Values"]}
                for each in params.get("Filters") or ()
            ),
        ]
        tests = [_filter(each) for each in filters]
        page, more = await self._page(
            scope, params, lambda document: all(test(document) for test in tests), 50
        )
        return {"Parameters": [_metadata(each, each.body["last"]) for each in page], **more}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteParameter."""
        if not await self._delete(scope, [params["Name"]]):
            raise _missing()
        return {}

    async def delete_several(self, scope: Scope, params: Params) -> Params:
        """DeleteParameters."""
        deleted = await self._delete(scope, params["Names"])
        invalid = [name for name in params["Names"] if name not in deleted]
        return {"DeletedParameters": deleted, "InvalidParameters": invalid}

    async def tag(self, scope: Scope, params: Params) -> Params:
        """AddTagsToResource, RemoveTagsFromResource."""
        name = _tagged(params)

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            found = _find(tx, scope, name)
            if found is None:
                raise _no_resource()
            tags = plain_tags.changed(
                found.body[plain_tags.TAGS],
                plain_tags.from_list(params.get("Tags")),
                params.get("TagKeys") or (),
                code="TooManyTagsError",
            )
            tx.documents.put(found.root, _KIND, name, {**found.body, plain_tags.TAGS: tags})

        await self._store.transact(run)
        return {}

    async def list_tags(self, scope: Scope, params: Params) -> Params:
        """ListTagsForResource."""
        name = _tagged(params)
        found = await self._store.read(lambda tx: _find(tx, scope, name))
        if found is None:
            raise _no_resource()
        return {"TagList": plain_tags.to_list(found.body[plain_tags.TAGS])}

    async def _delete(self, scope: Scope, names: Iterable[str]) -> Sequence[str]:
        """Delete those that exist; returns their names."""
        root = _root(scope)
        return await self._store.transact(
            lambda tx: [
                name
                for name in dict.fromkeys(names)
                if tx.documents.delete(root, _KIND, select(scope, name).name[:_NAME_LENGTH_MAX])
            ]
        )

    async def _page(
        self, scope: Scope, params: Params, fits: Callable[[Document], bool], size_max: int
    ) -> tuple[Sequence[Document], Params]:
        after = read_name_marker(params.get("NextToken"))
        size = min(params.get("MaxResults") or size_max, size_max)
        listed = await self._store.read(lambda tx: tx.documents.list_of(_root(scope), _KIND))
        rest = sorted(
            (each for each in listed if each.id > after and fits(each)), key=lambda each: each.id
        )
        page = make_name_page(rest, size, lambda each: each.id)
        more = {} if page.next_marker is None else {"NextToken": page.next_marker}
        return page.items, more


def parameter_arn(scope: Scope, name: str) -> str:
    """The ARN of a parameter, or of all below a path."""
    return f"arn:aws:ssm:{scope.region}:{scope.account}:parameter/{name.removeprefix('/')}"


def select(scope: Scope, text: str) -> Selected:
    """The parameter that a request names, by name or ARN, with a version or without. Raises
    `ParameterNotFound` for one of another account or region, and for labels."""
    if text.startswith("arn:"):
        arn = Arn.try_parse(text)
        if arn is None or arn.scope != scope or not arn.resource.startswith("parameter/"):
            raise _missing()
        path = arn.resource.removeprefix("parameter")
        text = path if "/" in path[1:] else path[1:]
    name, colon, version = text.partition(":")
    if not colon:
        return Selected(name, None)
    if not version.isdecimal() or len(version) > 9:
        raise ApiError("ParameterVersionNotFound", "Lambent does not offer labels of parameters.")
    return Selected(name, int(version))


def _root(scope: Scope) -> Root:
    return Root(_SERVICE, *scope, "")


def _find(tx: Transaction, scope: Scope, name: str) -> Document | None:
    if len(name) > _NAME_LENGTH_MAX:
        return None
    return tx.documents.get(_root(scope), _KIND, name)


def _new_name(scope: Scope, text: str) -> str:
    name = select(scope, text).name if text.startswith("arn:") else text
    levels = name.strip("/").split("/")
    if (
        len(name) > _NAME_LENGTH_MAX
        or _NAME.fullmatch(name) is None
        or ("/" in name and not name.startswith("/"))
    ):
        raise ApiError(
            "ValidationException",
            "Parameter name must be a fully qualified name: letters, digits and . - _ in levels"
            f" that are divided by a forward slash (/), at most {_NAME_LENGTH_MAX} characters.",
        )
    if len(levels) > _LEVELS_MAX:
        raise ApiError(
            "HierarchyLevelLimitExceededException",
            f"A parameter name has at most {_LEVELS_MAX} levels.",
        )
    if levels[0].lower().startswith(("aws", "ssm")):
        raise ApiError(
            "AccessDeniedException",
            "No access to reserved parameter name: aws and ssm.",
            status=400,
        )
    return name


def _check_offered(params: Params) -> None:
    if params.get("Policies") not in (None, "", "[]", "[{}]"):
        raise ApiError("InvalidPolicyTypeException", "Lambent does not offer parameter policies.")
    if params.get("DataType", "text") == "aws:ssm:integration":
        raise ApiError(
            "ValidationException", "Lambent offers the data types text and aws:ec2:image."
        )


def _changed(before: Body, params: Params) -> dict[str, Any]:
    """The body with what a request changes; `current` is the new version. Raises `ApiError`."""
    last = before.get("versions", {}).get(str(before.get("last")), {})
    kind = params.get("Type", last.get("Type"))
    if kind is None:
        raise ApiError("ValidationException", "A parameter type is required when you create one.")
    if last and kind != last["Type"] and _SECURE in (kind, last["Type"]):
        raise ApiError(
            "HierarchyTypeMismatchException", f"Cannot change the type to {kind}: delete it first."
        )
    if before and params.get("Tags"):
        raise ApiError(
            "ValidationException",
            "Invalid request: tags and overwrite can't be used together. To create a parameter"
            " with tags, please remove overwrite flag.",
        )
    tier = params.get("Tier", last.get("Tier", "Standard"))
    if len(params["Value"].encode("utf-8", "surrogatepass")) > _VALUE_BYTES_MAX[tier]:
        raise ApiError(
            "ValidationException",
            f"Parameter value must be at most {_VALUE_BYTES_MAX[tier]} bytes in the tier {tier}.",
        )
    current = {
        "Type": kind,
        "Value": params["Value"],
        "Tier": "Standard" if tier == "Intelligent-Tiering" else tier,
        "DataType": params.get("DataType", last.get("DataType", "text")),
    }
    for name in ("Description", "AllowedPattern", "KeyId"):
        if params.get(name) is not None:
            current[name] = params[name]
    tags = before.get(plain_tags.TAGS)
    if tags is None:
        given = plain_tags.from_list(params.get("Tags"))
        tags = plain_tags.changed({}, given, code="TooManyTagsError")
    return {**before, plain_tags.TAGS: tags, "current": current}


def _view(document: Document, number: int, params: Params) -> Params:
    """`Parameter` of the API."""
    version = document.body["versions"][str(number)]
    is_hidden = version["Type"] == _SECURE and not params.get("WithDecryption")
    return {
        "Name": document.id,
        "Type": version["Type"],
        "Value": _HIDDEN if is_hidden else version["Value"],
        "Version": number,
        "LastModifiedDate": _instant(version["LastModifiedDate"]),
        "ARN": parameter_arn(document.root.scope, document.id),
        "DataType": version["DataType"],
    }


def _metadata(document: Document, number: int) -> Params:
    """`ParameterMetadata` of the API: without the value."""
    version = document.body["versions"][str(number)]
    return {
        **{name: value for name, value in version.items() if name != "Value"},
        "Name": document.id,
        "ARN": parameter_arn(document.root.scope, document.id),
        "Version": number,
        "LastModifiedDate": _instant(version["LastModifiedDate"]),
        "Policies": [],
    }


def _filter(given: Params) -> Callable[[Document], bool]:
    """One filter of DescribeParameters. Raises `ApiError`."""
    key, option, values = given["Key"], given.get("Option", "Equals"), given.get("Values") or []
    if option not in ("Equals", "BeginsWith", "Contains", "OneLevel", "Recursive"):
        raise ApiError("InvalidFilterOption", f"The filter option {option} is not valid.")

    def compare(found: str) -> bool:
        if option == "BeginsWith":
            return found.startswith(tuple(values))
        if option == "Contains":
            return any(value in found for value in values)
        return found in values

    def is_below(name: str) -> bool:
        rest = [name.removeprefix(path) for path in _paths(values) if name.startswith(path)]
        return any(option == "Recursive" or "/" not in below for below in rest)

    if key == "Name":
        return lambda document: compare(document.id)
    if key == "Path":
        return lambda document: is_below(document.id)
    if key in ("Type", "Tier", "DataType", "KeyId"):
        return lambda document: compare(
            document.body["versions"][str(document.body["last"])].get(key, "")
        )
    if key.startswith("tag:"):
        tag = key.removeprefix("tag:")
        return lambda document: (
            tag in document.body[plain_tags.TAGS]
            and (not values or compare(document.body[plain_tags.TAGS][tag]))
        )
    raise ApiError("InvalidFilterKey", f"The filter key {key} is not valid.")


def _paths(values: Iterable[str]) -> Sequence[str]:
    return [value.rstrip("/") + "/" for value in values]


def _tagged(params: Params) -> str:
    if params["ResourceType"] != "Parameter":
        raise ApiError("InvalidResourceType", "Lambent offers resources of the type Parameter.")
    name: str = params["ResourceId"]
    return name


def _missing() -> ApiError:
    return ApiError("ParameterNotFound", "Parameter not found.")


def _no_resource() -> ApiError:
    return ApiError("InvalidResourceId", "The resource ID is not valid.")


def _instant(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
