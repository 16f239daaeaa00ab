"""Second factors: which a pool offers, and which a user has. Pure rules.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-mfa.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.cognito.errors import invalid
from lambent.control.cognito.pool import Params, Pool
from lambent.control.cognito.schema import EMAIL, PHONE
from lambent.control.cognito.users import UserEdit, is_verified
from lambent.model.document import Body
from lambent.store.pool_users import PoolUser

SOFTWARE_TOKEN, SMS, EMAIL_CODE = "SOFTWARE_TOKEN_MFA", "SMS_MFA", "EMAIL_OTP"
SET_UP, SELECT = "MFA_SETUP", "SELECT_MFA_TYPE"
CHALLENGES = frozenset({SOFTWARE_TOKEN, SMS, EMAIL_CODE, SET_UP, SELECT})
ADDRESSES: Mapping[str, str] = {SMS: PHONE, EMAIL_CODE: EMAIL}
"""The attribute that codes of a factor are sent to."""
_OFFERED = {SOFTWARE_TOKEN: "software_tokens", SMS: "sms_factor", EMAIL_CODE: "email_factor"}
"""Of a pool's document: whether it offers a factor, or how."""
_SETTINGS = {
    "SMSMfaSettings": SMS,
    "SoftwareTokenMfaSettings": SOFTWARE_TOKEN,
    "EmailMfaSettings": EMAIL_CODE,
}
ENABLED, PREFERRED, _OLD = "mfa", "mfa_preferred", "preferred_mfa"


def offered(body: Body) -> Sequence[str]:
    """The factors of a pool."""
    return [name for name, member in _OFFERED.items() if body.get(member)]


def mode_of(body: Body) -> str:
    """`OFF`, `OPTIONAL` or `ON`."""
    return str(body["MfaConfiguration"])


def enabled(document: Mapping[str, Any]) -> Sequence[str]:
    """The factors that a user has chosen, by the user's document."""
    found: Sequence[str] | None = document.get(ENABLED)
    if found is None:
        return [SOFTWARE_TOKEN] if document.get(_OLD) else []
    return found


def preferred(document: Mapping[str, Any]) -> str | None:
    """The factor that a user prefers."""
    found: str | None = document.get(PREFERRED, SOFTWARE_TOKEN if document.get(_OLD) else None)
    return found


def usable(pool: Pool, user: PoolUser) -> Sequence[str]:
    """The factors that a user can be asked for: those they have chosen; where a second factor is
    required, else all that they could choose."""
    mode = mode_of(pool.body)
    if mode == "OFF":
        return []
    ready = [name for name in offered(pool.body) if _is_ready(user, name)]
    chosen = [name for name in ready if name in enabled(user.document)]
    return chosen or (ready if mode == "ON" else [])


def is_address_of_factor(pool: Pool, user: PoolUser, attribute: str) -> bool:
    """Whether an address is a second factor: then it is none for a new password, too."""
    return any(ADDRESSES.get(name) == attribute for name in usable(pool, user))


def shown(user: PoolUser) -> Params:
    """What GetUser and AdminGetUser show of a user's factors."""
    found = list(enabled(user.document))
    first = preferred(user.document)
    return {
        **({"UserMFASettingList": found} if found else {}),
        **({"PreferredMfaSetting": first} if first else {}),
    }


def choose(edit: UserEdit, params: Params) -> None:
    """What SetUserMFAPreference changes. Raises `InvalidParameterException`."""
    names, first = set(enabled(edit.document)), preferred(edit.document)
    user, wanted = edit.freeze(), []
    for member, name in _SETTINGS.items():
        settings = params.get(member)
        if settings is None:
            continue
        if settings.get("Enabled"):
            _check(edit.pool, user, name)
            names.add(name)
        else:
            names.discard(name)
            first = None if first == name else first
        if settings.get("PreferredMfa"):
            wanted.append(name)
    if len(wanted) > 1:
        raise invalid("Only one second factor can be preferred.")
    if not names.issuperset(wanted):
        raise invalid("A second factor that is not enabled cannot be preferred.")
    edit.document[ENABLED] = [name for name in _OFFERED if name in names]
    edit.document[PREFERRED] = wanted[0] if wanted else first
    edit.document.pop(_OLD, None)


def _check(pool: Pool, user: PoolUser, name: str) -> None:
    if name not in offered(pool.body):
        raise invalid(f"{name} is not enabled for the user pool.")
    if _is_ready(user, name):
        return
    if name == SOFTWARE_TOKEN:
        raise invalid("User has not verified software token mfa")
    raise invalid(f"User does not have delivery config set to turn on {name}")


def _is_ready(user: PoolUser, name: str) -> bool:
    if name == SOFTWARE_TOKEN:
        return bool(user.document.get("software_token"))
    if name == SMS:
        return bool(user.document["attributes"].get(PHONE))
    return is_verified(user, EMAIL)
