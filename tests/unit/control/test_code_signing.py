"""Code signing: who may sign a function's packages."""

import datetime
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from lambent.control.settings import ControlSettings
from lambent.control.signatures import SIGNATURE_ENTRY
from lambent.kit.clock import ManualClock
from tests.unit.control.control_room import HERE, Room, open_room, package, refused
from tests.unit.control.signer import JOB, PROFILE, Signer

pytestmark = pytest.mark.anyio
NOW = datetime.datetime.fromtimestamp(ManualClock().now(), datetime.UTC)
OTHER_PROFILE = PROFILE.replace("/p/", "/q/")


@pytest.fixture(scope="module")
def signer() -> Signer:
    """The platform's trusted root."""
    return Signer(NOW)


@pytest.fixture
async def signing(tmp_path: Path, signer: Signer, anyio_backend: object) -> AsyncIterator[Room]:
    """A control plane that trusts the signer's root."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(signer.root_pem)
    async with open_room(tmp_path, ControlSettings(signing_roots=str(roots))) as room:
        yield room


async def configure(room: Room, policy: str = "Enforce") -> str:
    """A configuration that allows one profile; returns its ARN."""
    answer = await room.control.code_signing.create(
        HERE,
        {
            "AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]},
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": policy},
        },
    )
    arn: str = answer["CodeSigningConfig"]["CodeSigningConfigArn"]
    return arn


async def test_signed_packages_are_deployed(signing: Room, signer: Signer) -> None:
    """And the function says whose they are, at creation and after an update."""
    arn = await configure(signing)
    code = {"ZipFile": signer.sign(package())}
    created = await signing.create(Code=code, CodeSigningConfigArn=arn)
    assert created.other["SigningProfileVersionArn"] == PROFILE
    assert created.other["SigningJobArn"] == JOB
    await signing.settled()
    updated = await signing.update_code(ZipFile=signer.sign(package("x = 2")))
    assert updated.other["SigningProfileVersionArn"] == PROFILE


@pytest.mark.slow
async def test_what_is_not_trusted_is_refused_only_if_enforced(
    signing: Room, signer: Signer
) -> None:
    """Unsigned, by another profile, or expired."""
    day = datetime.timedelta(days=1)
    for number, data in enumerate(
        (
            package(),
            signer.sign(package(), profile=OTHER_PROFILE),
            signer.sign(package(), expires=NOW - day, signed_at=NOW - 2 * day),
        )
    ):
        enforced, warned = await configure(signing), await configure(signing, "Warn")
        error = await refused(
            signing.create(f"e{number}", Code={"ZipFile": data}, CodeSigningConfigArn=enforced)
        )
        assert error.code == "CodeVerificationFailedException"
        made = await signing.create(
            f"w{number}", Code={"ZipFile": data}, CodeSigningConfigArn=warned
        )
        assert "SigningJobArn" not in made.other
        assert untrusted(signing, f"w{number}") == 1
        assert untrusted(signing, f"e{number}") == 0


async def test_packages_that_are_not_trusted_are_counted(signing: Room, signer: Signer) -> None:
    """Those that are deployed by creations and updates, and no others."""
    arn = await configure(signing, "Warn")
    await signing.create("free")
    await signing.create(Code={"ZipFile": signer.sign(package())}, CodeSigningConfigArn=arn)
    await signing.settled()
    assert untrusted(signing) == 0
    await signing.update_code(ZipFile=package("x = 2"), DryRun=True)
    assert untrusted(signing) == 0
    await signing.update_code(ZipFile=package("x = 2"))
    assert untrusted(signing) == 1
    assert untrusted(signing, "free") == 0


def untrusted(room: Room, name: str = "f") -> float:
    """The sum of the metric of a function."""
    return sum(
        sums.values.get("SignatureValidationErrors", (0, 0.0))[1]
        for sums in room.metrics.sums()
        if sums.key.name == name
    )


def changed(data: bytes, name: str = "app.py", content: bytes = b"evil = 1") -> bytes:
    """The archive with one entry replaced."""
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(output, "w") as target:
        for info in source.infolist():
            target.writestr(info, content if info.filename == name else source.read(info))
    return output.getvalue()


def with_entry(data: bytes, name: str) -> bytes:
    """The archive with one entry more."""
    output = io.BytesIO(data)
    with zipfile.ZipFile(output, "a") as archive:
        archive.writestr(name, b"more")
    return output.getvalue()


async def test_signatures_that_do_not_match_are_always_refused(
    signing: Room, signer: Signer
) -> None:
    """Whatever the policy is: the package was changed, or signed by a signer who is not allowed."""
    arn = await configure(signing, "Warn")
    good = signer.sign(package())
    stranger = Signer(NOW)
    for number, data in enumerate(
        (
            changed(good),
            with_entry(good, "evil.py"),
            changed(good, SIGNATURE_ENTRY, b"no signature"),
            changed(good, SIGNATURE_ENTRY, b""),
            changed(good, SIGNATURE_ENTRY, b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n"),
            changed(good, SIGNATURE_ENTRY, b"\x30\x80" * 5000),
            changed(
                good,
                SIGNATURE_ENTRY,
                zipfile.ZipFile(io.BytesIO(signer.sign(package("y = 1")))).read(SIGNATURE_ENTRY),
            ),
            stranger.sign(package()),
            signer.sign(package(), signed_at=NOW + datetime.timedelta(days=1)),
            signer.sign(package(), signed_at=NOW - datetime.timedelta(days=30)),
            Signer(NOW, usage=ExtendedKeyUsageOID.SERVER_AUTH).sign(package()),
        )
    ):
        error = await refused(
            signing.create(f"f{number}", Code={"ZipFile": data}, CodeSigningConfigArn=arn)
        )
        assert error.code == "InvalidCodeSignatureException", number
        assert await refused(signing.latest(f"f{number}"))


async def test_without_roots_no_signer_is_trusted(room: Room, signer: Signer) -> None:
    """A signature that leads to no root is not trusted."""
    arn = await configure(room)
    error = await refused(
        room.create(Code={"ZipFile": signer.sign(package())}, CodeSigningConfigArn=arn)
    )
    assert error.code == "InvalidCodeSignatureException"
    error = await refused(room.create(CodeSigningConfigArn=arn))
    assert error.code == "CodeVerificationFailedException"


async def test_a_function_is_bound_and_unbound(signing: Room) -> None:
    """The next deployment counts; a configuration in use stays."""
    arn = await configure(signing)
    use_cases = signing.control.code_signing
    await signing.create_active()
    which: dict[str, Any] = {"FunctionName": "f"}
    assert await use_cases.get_binding(HERE, which) == {}
    await use_cases.bind(HERE, {**which, "CodeSigningConfigArn": arn})
    assert (await use_cases.get_binding(HERE, which))["CodeSigningConfigArn"] == arn
    config = {"CodeSigningConfigArn": arn}
    listed = await use_cases.list_functions(HERE, config)
    assert [function_arn.rpartition(":")[2] for function_arn in listed["FunctionArns"]] == ["f"]
    assert (await refused(use_cases.delete(HERE, config))).code == "ResourceConflictException"
    error = await refused(signing.update_code(ZipFile=package("x = 2")))
    assert error.code == "CodeVerificationFailedException"
    await use_cases.unbind(HERE, which)
    await signing.update_code(ZipFile=package("x = 2"))
    await use_cases.delete(HERE, config)
    for attempt in (use_cases.get(HERE, config), use_cases.update(HERE, config)):
        assert (await refused(attempt)).message == (
            f"The Lambda code signing configuration {arn} can not be found."
        )
    error = await refused(use_cases.bind(HERE, {**which, **config}))
    assert error.code == "CodeSigningConfigNotFoundException"
    error = await refused(signing.create("g", CodeSigningConfigArn=arn))
    assert error.code == "CodeSigningConfigNotFoundException"


async def test_configurations_change(signing: Room) -> None:
    """Members that are absent stay as they were; they are listed by id."""
    arns = sorted([await configure(signing), await configure(signing, "Warn")])
    use_cases = signing.control.code_signing
    changed_one = await use_cases.update(
        HERE, {"CodeSigningConfigArn": arns[0], "Description": "new"}
    )
    shown = changed_one["CodeSigningConfig"]
    assert shown["Description"] == "new"
    assert shown["AllowedPublishers"] == {"SigningProfileVersionArns": [PROFILE]}
    listed = await use_cases.list(HERE, {})
    assert [
        code_signing_config["CodeSigningConfigArn"]
        for code_signing_config in listed["CodeSigningConfigs"]
    ] == arns
    first = await use_cases.list(HERE, {"MaxItems": 1})
    second = await use_cases.list(HERE, {"MaxItems": 1, "Marker": first["NextMarker"]})
    assert [
        code_signing_config["CodeSigningConfigArn"]
        for code_signing_config in second["CodeSigningConfigs"]
    ] == arns[1:]
