"""Accepting and refusing the tier `process`."""

import dataclasses

import pytest

from lambent.assembly import weak_tier
from lambent.settings import Settings


def with_(**sections: dict[str, object]) -> Settings:
    settings = Settings()
    changed = {
        section: dataclasses.replace(getattr(settings, section), **values)  # type: ignore[type-var]
        for section, values in sections.items()
    }
    return dataclasses.replace(settings, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"server": {"auth": "strict"}}, "--auth strict"),
        ({"egress": {"enabled": False}}, "egress.enabled = false"),
        ({"egress": {"deny": ("10.0.0.0/8",)}}, "egress.deny"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    sections: dict[str, dict[str, object]], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A platform with stricter settings does not start, unless `allow_weak` is set."""
    with pytest.raises(SystemExit, match=f"cannot keep {named}.*sandbox.allow_weak"):
        weak_tier.accept(with_(**sections))
    weak_tier.accept(with_(**sections, sandbox={"allow_weak": True}))
    assert "ISOLATION IS WEAK" in capsys.readouterr().err


def test_it_is_said_loudly(capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing is named, the metadata address among it."""
    weak_tier.accept(Settings())
    said = capsys.readouterr().err
    assert said.count("ISOLATION IS WEAK") == 1
    assert "169.254.169.254" in said
