"""The account's settings of REST APIs."""

from collections.abc import Mapping

from lambent.control.apis.kinds import Params
from lambent.control.apis.v1.patch_tables import ACCOUNT
from lambent.control.apis.v1.patches import read_patches
from lambent.control.apis.v1.work import Function, Work

_ID = "account"
_FIXED = {
    "throttleSettings": {"burstLimit": 5000, "rateLimit": 10_000.0},
    "features": ["UsagePlans"],
    "apiKeyVersion": "4",
}


def get(work: Work, params: Params) -> Params:
    """GetAccount."""
    found = work.tx.documents.get(work.root(), "account", _ID)
    return {**(found.body if found is not None else {}), **_FIXED}


def update(work: Work, params: Params) -> Params:
    """UpdateAccount."""
    patches = read_patches(params.get("patchOperations"))
    body = ACCOUNT.apply(get(work, params), patches)
    stored = {name: value for name, value in body.items() if name not in _FIXED}
    work.tx.documents.put(work.root(), "account", _ID, stored)
    return get(work, params)


READS: Mapping[str, Function] = {"GetAccount": get}
WRITES: Mapping[str, Function] = {"UpdateAccount": update}
