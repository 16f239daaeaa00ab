"""Users are found by what they have, page by page."""

from typing import Any

import pytest
import sqlalchemy as sa

from lambent.control.cognito.directory import read_filter
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser, Term
from lambent.store.tables import pool_users

from .world import ADDRESS, HERE, PASSWORD, World, refused

pytestmark = pytest.mark.anyio


async def listed(world: World, pool: str, filter: str | None = None, limit: int = 2) -> list[str]:
    """The names of all pages."""
    names: list[str] = []
    params: dict[str, Any] = {"UserPoolId": pool, "Limit": limit}
    if filter is not None:
        params["Filter"] = filter
    while True:
        page = await world.rooms.directory.list_users(HERE, params)
        assert len(page["Users"]) <= limit
        names += [user["Username"] for user in page["Users"]]
        if "PaginationToken" not in page:
            return names
        params["PaginationToken"] = page["PaginationToken"]


async def test_filters(everywhere: World) -> None:
    """Exact values and prefixes; names in the order of the database, values in that of bytes."""
    world = everywhere
    pool = await world.pool()
    for name, email in (
        ("ann", "Ann@example.com"),
        ("bob", "bob@example.com"),
        ("carl", "car%l@example.com"),
        ("dora", "dora@example.com"),
        ("emil", "emil@example.org"),
    ):
        await world.user(pool, name, email=email, email_verified="true", name="ß" + name)
    who = {"UserPoolId": pool, "Username": "dora"}
    await world.rooms.managed.disable(HERE, who)
    assert await listed(world, pool) == ["ann", "bob", "carl", "dora", "emil"]
    assert await listed(world, pool, "") == ["ann", "bob", "carl", "dora", "emil"]
    for text, names in (
        ('email = "ann@EXAMPLE.com"', ["ann"]),
        ('email ^= "car%"', ["carl"]),
        ('email ^= "%"', []),
        ('name ^= "ß"', ["ann", "bob", "carl", "dora", "emil"]),
        ('name ^= "ßb"', ["bob"]),
        ('username = "Bob"', ["bob"]),
        ('status = "Disabled"', ["dora"]),
        ('status = "disabled"', []),
        ('cognito:user_status = "confirmed"', ["ann", "bob", "carl", "dora", "emil"]),
        ('cognito:user_status = "UNCONFIRMED"', []),
        ('phone_number = "+1"', []),
    ):
        assert await listed(world, pool, text) == names, text
    page = await world.rooms.directory.list_users(
        HERE, {"UserPoolId": pool, "AttributesToGet": ["email"], "Limit": 1}
    )
    assert page["Users"][0]["Attributes"] == [{"Name": "email", "Value": "Ann@example.com"}]
    forged = {"UserPoolId": pool, "PaginationToken": "A" * 60}
    assert (await refused(world.rooms.directory.list_users(HERE, forged)))[0] == (
        "InvalidParameterException"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("email", 'email = "a" or "b"', 'custom:x = "a"', 'password = "a"', "email = 'a'"),
        *('email == "a"', 'email = "a', '"' * 5000, 'email = "' + "\\" * 4999 + '"'),
    ],
)
def test_filters_that_are_none(text: str) -> None:
    with pytest.raises(ApiError, match="InvalidParameterException"):
        read_filter(text)


async def test_no_list_reads_all_users(world: World) -> None:
    """Each query uses an index: how many users a pool has does not matter."""
    plans: list[str] = []

    def explain(tx: Any) -> None:
        connection = tx.pool_users._connection
        execute = connection.execute

        def explained(query: Any) -> Any:
            compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
            values = tuple(compiled.params[name] for name in compiled.positiontup)
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
            plans.extend(row.detail for row in rows)
            return execute(query)

        tx.pool_users._connection = type("Explaining", (), {"execute": staticmethod(explained)})()
        tx.pool_users.page("p", after="a", limit=60)
        tx.pool_users.get("p", "a")
        tx.pool_users.terms_of("p", "a", "group:")
        for is_prefix in (False, True):
            tx.pool_users.find("p", Term("email", "a"), is_prefix=is_prefix, limit=60)

    await world.store.read(explain)
    assert len(plans) >= 5
    assert [plan for plan in plans if "SCAN" in plan or "TEMP" in plan] == []
    assert any("value=? AND key>?" in plan for plan in plans), plans


async def test_a_large_group(everywhere: World) -> None:
    """Members page by page; a deleted group leaves no trace at its members."""
    world = everywhere
    pool = await world.pool()
    group = {"UserPoolId": pool, "GroupName": "g"}
    await world.rooms.groups.create(HERE, group)

    def fill(tx: Any) -> None:
        for number in range(130):
            document = {
                "username": f"u{number:03}",
                "attributes": {"sub": f"s{number}"},
                "status": "CONFIRMED",
                "enabled": True,
                "created": 0,
                "changed": 0,
            }
            tx.pool_users.put(PoolUser(pool, f"u{number:03}", document, {}), [])
            tx.pool_users.add_term(pool, f"u{number:03}", Term("group:g", ""))

    await world.store.transact(fill)
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = await world.rooms.groups.list_users(HERE, {**group, **token})
        names += [user["Username"] for user in page["Users"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert names == [f"u{number:03}" for number in range(130)]
    who = {"UserPoolId": pool, "Username": "u007"}
    found = await world.rooms.groups.of_user(HERE, who)
    assert [each["GroupName"] for each in found["Groups"]] == ["g"]
    await world.rooms.groups.delete(HERE, group)
    assert (await world.rooms.groups.of_user(HERE, who))["Groups"] == []
    assert (await refused(world.rooms.groups.get(HERE, group)))[0] == "ResourceNotFoundException"


async def test_names_and_aliases(everywhere: World) -> None:
    """A verified address is an alias of one user; ForceAliasCreation takes it over."""
    world = everywhere
    pool = await world.pool(AliasAttributes=["email", "preferred_username"])
    client = await world.client(pool)
    await world.user(pool, "ann", email="a@example.com", email_verified="true")
    assert "AccessToken" in await world.sign_in(client, "A@example.com")
    rooms = world.rooms

    def sign_up(name: str) -> Any:
        params = {
            "ClientId": client,
            "Username": name,
            "Password": PASSWORD,
            "UserAttributes": [{"Name": "email", "Value": "a@example.com"}],
        }
        return rooms.sign_up.sign_up(params, ADDRESS)

    code, message = await refused(sign_up("x@example.com"))
    assert (code, "email format" in message) == ("InvalidParameterException", True)
    assert (await refused(sign_up("ANN")))[0] == "UsernameExistsException"
    await sign_up("bob")
    confirm = {
        "ClientId": client,
        "Username": "bob",
        "ConfirmationCode": world.mail.code(),
    }
    code, _ = await refused(rooms.sign_up.confirm(confirm, ADDRESS))
    assert code == "AliasExistsException"
    await rooms.sign_up.confirm({**confirm, "ForceAliasCreation": True}, ADDRESS)
    found = await rooms.directory.get_user(HERE, {"UserPoolId": pool, "Username": "a@example.com"})
    assert found["Username"] == "bob"
    found = await rooms.directory.get_user(HERE, {"UserPoolId": pool, "Username": "ann"})
    attributes = {each["Name"]: each["Value"] for each in found["UserAttributes"]}
    assert attributes["email_verified"] == "false"


async def test_an_address_is_the_name(everywhere: World) -> None:
    """The user name is the sub; the address is unique, also before it is verified."""
    world = everywhere
    pool = await world.pool(UsernameAttributes=["email"])
    client = await world.client(pool, PreventUserExistenceErrors="ENABLED")
    await world.user(pool, "Ann@example.com")
    found = await world.rooms.directory.get_user(
        HERE, {"UserPoolId": pool, "Username": "ann@example.com"}
    )
    attributes = {each["Name"]: each["Value"] for each in found["UserAttributes"]}
    assert found["Username"] == attributes["sub"]
    assert attributes["email"] == "Ann@example.com"
    again = await world.rooms.directory.get_user(
        HERE, {"UserPoolId": pool, "Username": attributes["sub"]}
    )
    assert again["Username"] == found["Username"]
    begun = await world.begin_srp(client, "ann@example.com")
    assert begun[1]["USER_ID_FOR_SRP"] == attributes["sub"]
    _, of_abe = await world.begin_srp(client, "abe@example.com")
    assert len(of_abe["USER_ID_FOR_SRP"]) == len(attributes["sub"])
    made = await world.end_srp(pool, client, begun, PASSWORD)
    assert "AuthenticationResult" in made
    params = {"ClientId": client, "Username": "ann@example.com", "Password": PASSWORD}
    _, message = await refused(world.rooms.sign_up.sign_up(params, ADDRESS))
    assert message == "An account with the given email already exists."
    params["Username"] = "ann"
    _, message = await refused(world.rooms.sign_up.sign_up(params, ADDRESS))
    assert message == "Username should be an email."


async def test_a_deleted_pool_leaves_nothing(world: World) -> None:
    """Neither users nor clients, nor the way in."""
    pool = await world.pool(DeletionProtection="ACTIVE")
    client = await world.client(pool)
    await world.user(pool, "ann")
    which = {"UserPoolId": pool}
    code, _ = await refused(world.rooms.pools.delete(HERE, which))
    assert code == "InvalidParameterException"
    await world.rooms.pools.update(HERE, {**which, "DeletionProtection": "INACTIVE"})
    access = (await world.sign_in(client, "ann"))["AccessToken"]
    await world.rooms.pools.delete(HERE, which)
    assert (await refused(world.sign_in(client, "ann")))[0] == "ResourceNotFoundException"
    code, _ = await refused(world.rooms.own_account.get({"AccessToken": access}, ADDRESS))
    assert code == "NotAuthorizedException"
    assert await world.rooms.keys.jwks(pool) is None

    def count(tx: Any) -> Any:
        return tx.pool_users._connection.execute(
            sa.select(sa.func.count()).select_from(pool_users)
        ).scalar()

    assert await world.store.read(count) == 0
