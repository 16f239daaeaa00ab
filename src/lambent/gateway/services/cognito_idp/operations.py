"""Operations of user pools.

Those of administrators are signed and act in the caller's account. Those of users are not: the app
client or the access token in the request says which pool they are for.
"""

from collections.abc import Awaitable, Callable, Mapping

from lambent.control.cognito.room import UserPools
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.model.arn import Scope

Managed = Callable[[Scope, Members], Awaitable[Members]]
Public = Callable[[Members, str], Awaitable[Members]]
_Op = Operation[UserPools]


def _managed(choose: Callable[[UserPools], Managed]) -> _Op:
    async def operation(rooms: UserPools, call: Call) -> Members:
        return await choose(rooms)(call.scope, call.params)

    return operation


def _public(choose: Callable[[UserPools], Public]) -> _Op:
    async def operation(rooms: UserPools, call: Call) -> Members:
        return await choose(rooms)(call.params, _address(call))

    return operation


async def _admin_initiate(rooms: UserPools, call: Call) -> Members:
    return await rooms.signing_in.initiate(call.params, "", call.scope)


async def _admin_respond(rooms: UserPools, call: Call) -> Members:
    return await rooms.signing_in.respond(call.params, "", call.scope)


def _address(call: Call) -> str:
    """The address of who asks, for limits on guessing."""
    exchange = call.caller.exchange
    return "" if exchange is None else exchange.client_address


MANAGED: Mapping[str, _Op] = {
    "CreateUserPool": _managed(lambda rooms: rooms.pools.create),
    "DescribeUserPool": _managed(lambda rooms: rooms.pools.describe),
    "UpdateUserPool": _managed(lambda rooms: rooms.pools.update),
    "DeleteUserPool": _managed(lambda rooms: rooms.pools.delete),
    "ListUserPools": _managed(lambda rooms: rooms.pools.list),
    "AddCustomAttributes": _managed(lambda rooms: rooms.pools.add_attributes),
    "GetUserPoolMfaConfig": _managed(lambda rooms: rooms.pools.get_mfa),
    "SetUserPoolMfaConfig": _managed(lambda rooms: rooms.pools.set_mfa),
    "TagResource": _managed(lambda rooms: rooms.pools.tag),
    "UntagResource": _managed(lambda rooms: rooms.pools.tag),
    "ListTagsForResource": _managed(lambda rooms: rooms.pools.tags),
    "CreateUserPoolClient": _managed(lambda rooms: rooms.clients.create),
    "DescribeUserPoolClient": _managed(lambda rooms: rooms.clients.describe),
    "UpdateUserPoolClient": _managed(lambda rooms: rooms.clients.update),
    "DeleteUserPoolClient": _managed(lambda rooms: rooms.clients.delete),
    "ListUserPoolClients": _managed(lambda rooms: rooms.clients.list),
    "CreateUserPoolDomain": _managed(lambda rooms: rooms.parts.create_domain),
    "DescribeUserPoolDomain": _managed(lambda rooms: rooms.parts.describe_domain),
    "UpdateUserPoolDomain": _managed(lambda rooms: rooms.parts.update_domain),
    "DeleteUserPoolDomain": _managed(lambda rooms: rooms.parts.delete_domain),
    "CreateResourceServer": _managed(lambda rooms: rooms.parts.create_server),
    "DescribeResourceServer": _managed(lambda rooms: rooms.parts.describe_server),
    "UpdateResourceServer": _managed(lambda rooms: rooms.parts.update_server),
    "DeleteResourceServer": _managed(lambda rooms: rooms.parts.delete_server),
    "ListResourceServers": _managed(lambda rooms: rooms.parts.list_servers),
    "CreateGroup": _managed(lambda rooms: rooms.groups.create),
    "GetGroup": _managed(lambda rooms: rooms.groups.get),
    "UpdateGroup": _managed(lambda rooms: rooms.groups.update),
    "DeleteGroup": _managed(lambda rooms: rooms.groups.delete),
    "ListGroups": _managed(lambda rooms: rooms.groups.list),
    "ListUsersInGroup": _managed(lambda rooms: rooms.groups.list_users),
    "AdminAddUserToGroup": _managed(lambda rooms: rooms.groups.add_user),
    "AdminRemoveUserFromGroup": _managed(lambda rooms: rooms.groups.remove_user),
    "AdminListGroupsForUser": _managed(lambda rooms: rooms.groups.of_user),
    "ListUsers": _managed(lambda rooms: rooms.directory.list_users),
    "AdminGetUser": _managed(lambda rooms: rooms.directory.get_user),
    "AdminCreateUser": _managed(lambda rooms: rooms.managed.create),
    "AdminConfirmSignUp": _managed(lambda rooms: rooms.managed.confirm),
    "AdminSetUserPassword": _managed(lambda rooms: rooms.managed.set_password),
    "AdminResetUserPassword": _managed(lambda rooms: rooms.managed.reset_password),
    "AdminUpdateUserAttributes": _managed(lambda rooms: rooms.managed.update_attributes),
    "AdminDeleteUserAttributes": _managed(lambda rooms: rooms.managed.delete_attributes),
    "AdminDeleteUser": _managed(lambda rooms: rooms.managed.delete),
    "AdminDisableUser": _managed(lambda rooms: rooms.managed.disable),
    "AdminEnableUser": _managed(lambda rooms: rooms.managed.enable),
    "AdminUserGlobalSignOut": _managed(lambda rooms: rooms.managed.sign_out),
    "AdminSetUserMFAPreference": _managed(lambda rooms: rooms.factors.prefer_for),
    "AdminInitiateAuth": _admin_initiate,
    "AdminRespondToAuthChallenge": _admin_respond,
}
PUBLIC: Mapping[str, _Op] = {
    "SignUp": _public(lambda rooms: rooms.sign_up.sign_up),
    "ConfirmSignUp": _public(lambda rooms: rooms.sign_up.confirm),
    "ResendConfirmationCode": _public(lambda rooms: rooms.sign_up.resend),
    "InitiateAuth": _public(lambda rooms: rooms.signing_in.initiate),
    "RespondToAuthChallenge": _public(lambda rooms: rooms.signing_in.respond),
    "GetTokensFromRefreshToken": _public(lambda rooms: rooms.refreshing.get_tokens),
    "RevokeToken": _public(lambda rooms: rooms.refreshing.revoke),
    "ForgotPassword": _public(lambda rooms: rooms.recovery.forgot),
    "ConfirmForgotPassword": _public(lambda rooms: rooms.recovery.confirm),
    "GetUser": _public(lambda rooms: rooms.own_account.get),
    "UpdateUserAttributes": _public(lambda rooms: rooms.own_account.update_attributes),
    "DeleteUserAttributes": _public(lambda rooms: rooms.own_account.delete_attributes),
    "GetUserAttributeVerificationCode": _public(lambda rooms: rooms.own_account.send_code),
    "VerifyUserAttribute": _public(lambda rooms: rooms.own_account.verify_attribute),
    "ChangePassword": _public(lambda rooms: rooms.own_account.change_password),
    "GlobalSignOut": _public(lambda rooms: rooms.own_account.sign_out),
    "DeleteUser": _public(lambda rooms: rooms.own_account.delete),
    "AssociateSoftwareToken": _public(lambda rooms: rooms.software_tokens.associate),
    "VerifySoftwareToken": _public(lambda rooms: rooms.software_tokens.verify),
    "SetUserMFAPreference": _public(lambda rooms: rooms.factors.prefer),
}
"""Of users: without a signature, and so without permissions."""

OPERATIONS: Mapping[str, _Op] = {**MANAGED, **PUBLIC}
