"""`lambent backup` and `lambent restore`, which read and write files: no platform need run."""

import datetime
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lambent.assembly.entrance import hold_data
from lambent.instance.data_directory import DataDirectory
from lambent.settings import ROOT_CREDENTIALS, Settings
from lambent.store import backup as backups
from lambent.store.backup import BackupPaths, Contents
from lambent.store.problems import StoreError
from lambent.store.restore import restore as restore_into
from lambent.upkeep import UpkeepError


def back_up(settings: Settings, file: Path) -> dict[str, Any]:
    """Back up the platform with these settings; returns what is in the backup. Raises
    `UpkeepError`."""
    made_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about = {"lambent": version("lambent"), "made_at": made_at}
    places = _places(settings, DataDirectory(settings.server.data_dir.absolute()))
    file = file.absolute()
    return _as_json(file, _said(lambda: backups.back_up(places, file, about)))


def restore(settings: Settings, file: Path) -> dict[str, Any]:
    """Restore a backup into the data directory of these settings; returns what was in it. Raises
    `UpkeepError`, or SystemExit if a platform runs there."""
    if not file.is_file():
        raise UpkeepError(f"cannot restore {file}: there is no such file")
    with hold_data(settings.server.data_dir) as data:
        places = _places(settings, data)
        return _as_json(file, _said(lambda: restore_into(places, file)))


def _places(settings: Settings, data: DataDirectory) -> BackupPaths:
    if settings.store.blobs_url:
        raise UpkeepError(
            f"cannot back up or restore packages in {settings.store.blobs_url}: lambent copies"
            " directories only. Back up the database with its own tools, and have the bucket keep"
            " old versions of its objects (see docs/backup.md)"
        )
    return BackupPaths(
        store=settings.store,
        state=data.state,
        packages=data.blobs(settings.store),
        events=data.event_payloads(settings.store),
        credentials=data.root / ROOT_CREDENTIALS,
    )


def _said(work: Callable[[], Contents]) -> Contents:
    try:
        return work()
    except StoreError as error:
        raise UpkeepError(str(error)) from error
    except PermissionError as error:
        raise UpkeepError(
            f"cannot read or write {error.filename or error}: {error.strerror}. Run this as the"
            " user who runs `lambent up`, or as root"
        ) from error
    except OSError as error:
        raise UpkeepError(str(error)) from error


def _as_json(file: Path, contents: Contents) -> dict[str, Any]:
    return {
        "file": str(file),
        "bytes": contents.bytes,
        "packages": contents.packages,
        "events": contents.events,
        "missing": list(contents.missing),
    }
