"""Exports are read, and hostile files are refused before they cost anything."""

import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.lex.exported import ExportInvalid, read_export
from tests.exported_bot import FALLBACK, boats, files_of, rent_boat, zipped


def zip_of(*entries: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in entries:
            archive.writestr(path, data)
    return out.getvalue()


def test_members_are_those_of_the_api() -> None:
    """Exports have names of their own for some members, and nulls."""
    found = read_export(boats())
    assert found.bot["name"] == "Boats"
    body = found.locales["en_US"]
    assert body["nluIntentConfidenceThreshold"] == 0.4
    intent = body["intents"]["RentBoat"]
    assert intent["intentName"] == "RentBoat"
    assert "dialogCodeHook" not in intent
    assert intent["fulfillmentCodeHook"] == {"enabled": True, "active": True}
    assert "messageGroups" in intent["intentConfirmationSetting"]["promptSpecification"]
    slot = intent["slots"]["BoatType"]
    assert slot["slotTypeName"] == "BoatTypes"
    assert slot["multipleValuesSetting"] == {"allowMultipleValues": False}
    assert slot["valueElicitationSetting"]["slotConstraint"] == "Required"
    setting = body["slotTypes"]["BoatTypes"]["valueSelectionSetting"]
    assert setting == {"resolutionStrategy": "TopResolution"}


MANIFEST = ("Manifest.json", json.dumps(files_of()["Manifest.json"]).encode())
LOCALE = "B/BotLocales/en_US"
BOMB = b"0" * (5 << 20)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a zip file"),
        (b"PK\x01\x02" * 30_000, "more than 20000 entries"),
        (b"0" * (6 << 20), "more than"),
        (zip_of(("a.json", b"{}")), "no Manifest.json"),
        (zip_of(("Manifest.json", b'{"metaData": {"resourceType": "TEST_SET"}}')), "not offered"),
        (zip_of(("Manifest.json", b'{"metaData": 3}')), "not offered"),
        (zip_of(MANIFEST), "no Bot.json"),
        (zip_of(MANIFEST, ("Bot.json", b'{"name": "B"}')), "no BotLocales"),
        (zip_of(MANIFEST, ("Bot.json", b"[]")), "not an object"),
        (zip_of(MANIFEST, ("Bot.json", b"\xff")), "not JSON"),
        (zip_of(MANIFEST, ("Bot.json", b'{"a":' * 5000 + b"1" + b"}" * 5000)), "JSON|nested"),
        (zip_of(MANIFEST, ("Bot.json", b'{"a":' * 70 + b"1" + b"}" * 70)), "nested too deeply"),
        (zip_of(MANIFEST, ("Bot.json", BOMB)), "more than 4194304 bytes"),
        (zip_of(*((f"{at}.json", BOMB) for at in range(7))), "bytes unzipped"),
        (
            zip_of(MANIFEST, ("B/BotLocales/en_US/Intents/A/Slots/S/Slot.json", b"{}")),
            "no Bot.json",
        ),
    ],
)
def test_hostile_files(data: bytes, words: str) -> None:
    """Each says what is wrong with it."""
    with pytest.raises(ExportInvalid, match=words):
        read_export(data)


def test_a_size_that_lies() -> None:
    """A directory that says less about the size of a file than is true."""
    data = bytearray(zip_of(MANIFEST, ("Bot.json", BOMB)))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    with pytest.raises(ExportInvalid):
        read_export(bytes(data))


def test_paths_lead_nowhere() -> None:
    """Nothing is written to disk, and entries with strange paths are ignored."""
    files: dict[str, Any] = {**files_of((FALLBACK, ()))}
    files |= {
        "../../etc/Intent.json": rent_boat(),
        "Boats/BotLocales/../x/Intents/A/Intent.json": rent_boat(),
        "Boats/BotLocales/en_US/Intents/a/b/Intent.json": rent_boat(),
    }
    found = read_export(zipped(files))
    assert set(found.locales) == {"en_US"}
    assert set(found.locales["en_US"]["intents"]) == {"FallbackIntent"}


@given(st.binary(max_size=400), st.integers(0, 3000))
def test_damaged_files(garbage: bytes, at: int) -> None:
    """A file with some bytes replaced is read or refused."""
    data = bytearray(boats())
    data[at : at + len(garbage)] = garbage
    try:
        read_export(bytes(data))
    except ExportInvalid:
        pass
