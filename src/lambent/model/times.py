"""Points in time as the API writes them where it uses text."""

import datetime


def iso_milliseconds(epoch_ms: int) -> str:
    """`2026-01-31T09:30:00.123+0000`."""
    instant = datetime.datetime.fromtimestamp(epoch_ms / 1000, datetime.UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}+0000"


def iso_seconds(epoch_s: float) -> str:
    """`2026-01-31T09:30:00+0000`."""
    instant = datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}+0000"
