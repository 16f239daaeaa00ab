"""Who does not know a password or a code does not get in, and does not learn who exists."""

import json
import time
from typing import Any

import pytest
import sqlalchemy as sa

from lambent.store.tables import pool_users

from .world import ADDRESS, HERE, PASSWORD, World, claims_of, refused

pytestmark = pytest.mark.anyio
INCORRECT = ("NotAuthorizedException", "Incorrect username or password.")


async def sign_up(world: World, client: str, name: str, email: str) -> None:
    await world.rooms.sign_up.sign_up(
        {
            "ClientId": client,
            "Username": name,
            "Password": PASSWORD,
            "UserAttributes": [{"Name": "email", "Value": email}],
        },
        ADDRESS,
    )


async def test_srp(everywhere: World) -> None:
    """With the password and no other; a challenge takes one answer, in time."""
    world = everywhere
    pool = await world.pool()
    client = await world.client(pool)
    await world.user(pool, "Ann")
    begun = await world.begin_srp(client, "ann")
    made = await world.end_srp(pool, client, begun, PASSWORD)
    claims = claims_of(made["AuthenticationResult"]["IdToken"])
    assert claims["cognito:username"] == "Ann"
    code, _ = await refused(world.end_srp(pool, client, begun, PASSWORD))
    assert code == "NotAuthorizedException"
    begun = await world.begin_srp(client, "ann")
    assert await refused(world.end_srp(pool, client, begun, "Passw0rd!y")) == INCORRECT
    begun = await world.begin_srp(client, "ann")
    world.clock.advance(181)
    code, message = await refused(world.end_srp(pool, client, begun, PASSWORD))
    assert "expired" in message


@pytest.mark.parametrize(
    "public", ["0", "", "-1", "zz", "f" * 2000, f"{2**3072:x}", "٣", "0x2", "1_0"]
)
async def test_public_values_that_would_open_every_door(world: World, public: str) -> None:
    """A must be a number of the group: with 0, or a multiple of N, every client knows the key."""
    pool = await world.pool()
    client = await world.client(pool)
    await world.user(pool, "ann")
    params = {
        "ClientId": client,
        "AuthFlow": "USER_SRP_AUTH",
        "AuthParameters": {"USERNAME": "ann", "SRP_A": public},
    }
    code, _ = await refused(world.rooms.signing_in.initiate(params, ADDRESS))
    assert code == "InvalidParameterException"


@pytest.mark.slow
async def test_who_exists_is_not_told(world: World) -> None:
    """With PreventUserExistenceErrors, each public operation responds the same for a name
    that no user has as for a user, but to who knows the password or the code."""
    pool = await world.pool()
    client = await world.client(pool, PreventUserExistenceErrors="ENABLED")
    await world.user(pool, "ann", email="ann@example.com", email_verified="true")
    await sign_up(world, client, "new", "new@example.com")
    await world.user(pool, "off", email="off@example.com", email_verified="true")
    rooms = world.rooms
    await rooms.managed.disable(HERE, {"UserPoolId": pool, "Username": "off"})
    await rooms.managed.create(
        HERE, {"UserPoolId": pool, "Username": "ivy", "MessageAction": "SUPPRESS"}
    )

    async def responses(name: str) -> list[Any]:
        """What is said of a name, without what is random."""
        found: list[Any] = [
            await refused(world.sign_in(client, name, "Wr0ng!pass")),
            await refused(
                rooms.sign_up.confirm(
                    {"ClientId": client, "Username": name, "ConfirmationCode": "000000x"}, ADDRESS
                )
            ),
            await refused(
                rooms.recovery.confirm(
                    {
                        "ClientId": client,
                        "Username": name,
                        "ConfirmationCode": "000000x",
                        "Password": PASSWORD,
                    },
                    ADDRESS,
                )
            ),
        ]
        _, parameters = begun = await world.begin_srp(client, name)
        _, again = await world.begin_srp(client, name)
        found.append((sorted(parameters), parameters["SALT"] == again["SALT"]))
        found.append(len(parameters["SALT"]))
        found.append(await refused(world.end_srp(pool, client, begun, "Wr0ng!pass")))
        for send in (rooms.recovery.forgot, rooms.sign_up.resend):
            sent = await send({"ClientId": client, "Username": name}, ADDRESS)
            found.append(sorted(sent["CodeDeliveryDetails"]))
        return found

    of_abe = await responses("abe")
    for name in ("ann", "new", "off", "ivy"):
        assert await responses(name) == of_abe, name
    assert of_abe[0] == INCORRECT
    # For comparison, the older behavior.
    legacy = await world.client(pool)
    code, _ = await refused(world.sign_in(legacy, "abe", "Wr0ng!pass"))
    assert code == "UserNotFoundException"


async def test_a_name_that_no_user_has_takes_as_long(world: World) -> None:
    """As a wrong password of a user, within a factor of two."""
    pool = await world.pool()
    client = await world.client(pool, PreventUserExistenceErrors="ENABLED")
    await world.user(pool, "ann")
    spent: dict[str, list[float]] = {"ann": [], "abe": []}
    for _ in range(4):
        for name, times in spent.items():
            begun = time.perf_counter()
            await refused(world.sign_in(client, name, "Wr0ng!pass"))
            times.append(time.perf_counter() - begun)
    # The shortest of each: others wait for what else the machine does.
    assert 0.5 < min(spent["abe"]) / min(spent["ann"]) < 2


async def test_guessing_passwords_is_slow(world: World) -> None:
    """Five wrong ones lock the name, a second at first and then twice as long each time; so it is
    for names that no user has. The right one counts only afterwards."""
    pool = await world.pool()
    client = await world.client(pool, PreventUserExistenceErrors="ENABLED")
    await world.user(pool, "ann")
    exceeded = ("NotAuthorizedException", "Password attempts exceeded")
    for name in ("ann", "abe"):
        for _ in range(5):
            assert await refused(world.sign_in(client, name, "Wr0ng!pass")) == INCORRECT
        assert await refused(world.sign_in(client, name)) == exceeded
        world.clock.advance(1.01)
        assert await refused(world.sign_in(client, name, "Wr0ng!pass")) == INCORRECT
        world.clock.advance(1.01)
        assert await refused(world.sign_in(client, name)) == exceeded
        world.clock.advance(1.01)
    assert "AccessToken" in await world.sign_in(client, "ann")
    assert await refused(world.sign_in(client, "ann", "Wr0ng!pass")) == INCORRECT


@pytest.mark.slow
async def test_an_address_that_guesses_is_turned_away(world: World) -> None:
    """Whatever names it tries; others are served."""
    pool = await world.pool()
    client = await world.client(pool)
    await world.user(pool, "ann")
    for number in range(300):
        await refused(world.sign_in(client, f"user-{number}", "Wr0ng!pass"))
    code, _ = await refused(world.sign_in(client, "ann"))
    assert code == "TooManyRequestsException"
    params = {
        "ClientId": client,
        "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": {"USERNAME": "ann", "PASSWORD": PASSWORD},
    }
    assert await world.rooms.signing_in.initiate(params, "10.9.9.9")
    world.clock.advance(301)
    assert "AccessToken" in await world.sign_in(client, "ann")


async def test_guessing_codes_is_hopeless(world: World) -> None:
    """Five wrong codes in an hour, and five messages; an old code expires, and a code is used
    once."""
    pool = await world.pool()
    client = await world.client(pool)
    await world.user(pool, "ann", email="ann@example.com", email_verified="true")
    forgot = {"ClientId": client, "Username": "ann"}

    def confirm(code: str) -> Any:
        params = {**forgot, "ConfirmationCode": code, "Password": "Passw0rd!n"}
        return world.rooms.recovery.confirm(params, ADDRESS)

    await world.rooms.recovery.forgot(forgot, ADDRESS)
    right = world.mail.code()
    wrong = "999999" if right != "999999" else "000000"
    for _ in range(5):
        assert (await refused(confirm(wrong)))[0] == "CodeMismatchException"
    assert (await refused(confirm(right)))[0] == "LimitExceededException"
    world.clock.advance(3601)
    assert (await refused(confirm(right)))[0] == "ExpiredCodeException"
    for _ in range(5):
        await world.rooms.recovery.forgot(forgot, ADDRESS)
    code, _ = await refused(world.rooms.recovery.forgot(forgot, ADDRESS))
    assert code == "LimitExceededException"
    right = world.mail.code()
    await confirm(right)
    assert (await refused(confirm(right)))[0] == "CodeMismatchException"
    assert "AccessToken" in await world.sign_in(client, "ann", "Passw0rd!n")


async def test_the_database_alone_tells_no_secret(world: World) -> None:
    """Neither passwords nor codes, private keys or secrets of authenticator apps."""
    pool = await world.pool()
    client = await world.client(pool)
    await sign_up(world, client, "ann", "ann@example.com")
    code = world.mail.code()

    def read(tx: Any) -> str:
        rows = tx.documents._connection.execute(sa.select(pool_users)).all()
        documents = tx.documents.everywhere("cognito-idp", "key")
        return json.dumps([[*map(str, row)] for row in rows]) + str([d.body for d in documents])

    written = await world.store.read(read)
    assert "verifier" in written
    assert "sealed" in written
    assert PASSWORD not in written
    assert code not in written
    assert "PRIVATE" not in written


async def test_no_code_for_another_address(world: World) -> None:
    """A code proves the address that it was sent to, and no later one."""
    pool = await world.pool()
    client = await world.client(pool)
    await world.user(pool, "eve", email="eve@example.com", email_verified="true")
    access = (await world.sign_in(client, "eve"))["AccessToken"]

    async def change(email: str) -> None:
        await world.rooms.own_account.update_attributes(
            {"AccessToken": access, "UserAttributes": [{"Name": "email", "Value": email}]}, ADDRESS
        )

    await change("eve2@example.com")
    code = world.mail.code()
    await change("ann@example.com")
    params = {"AccessToken": access, "AttributeName": "email", "Code": code}
    refusal, _ = await refused(world.rooms.own_account.verify_attribute(params, ADDRESS))
    assert refusal == "CodeMismatchException"
    found = await world.rooms.directory.get_user(HERE, {"UserPoolId": pool, "Username": "eve"})
    attributes = {each["Name"]: each["Value"] for each in found["UserAttributes"]}
    assert attributes["email_verified"] == "false"
