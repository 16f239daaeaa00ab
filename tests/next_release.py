"""The next release of Lambent: this source with another version, and a migration more."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import lambent
from lambent.store.database import revisions

RELEASE = version("lambent")
_MIGRATION = '''"""What the next release needs."""

import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{head}"
suits_previous_release = True


def upgrade() -> None:
    op.add_column("functions", sa.Column("of_next_release", sa.String(16)))
    op.create_index("ix_functions_of_next_release", "functions", ["of_next_release"])
    op.create_table("next_release", sa.Column("id", sa.String(16), primary_key=True))


def downgrade() -> None:
    op.drop_table("next_release")
    op.drop_index("ix_functions_of_next_release")
    op.drop_column("functions", "of_next_release")
'''


def release_after(release: str) -> str:
    """The number of the release that follows."""
    major, minor, *_ = release.split(".")
    return f"{major}.{int(minor) + 1}.0"


@contextmanager
def next_release() -> Iterator[tuple[str, dict[str, str]]]:
    """Its version, and the environment in which `python -m lambent` is of that release."""
    number = release_after(RELEASE)
    # The user of the platform must be able to read it, which the tests' directories forbid.
    root = Path(tempfile.mkdtemp(prefix="lambent-next-", dir="/var/tmp"))
    try:
        root.chmod(0o755)
        source = Path(lambent.__file__).parent
        shutil.copytree(source, root / "lambent", ignore=shutil.ignore_patterns("__pycache__"))
        migration = root / "lambent/store/migrations/versions/9001_next_release.py"
        migration.write_text(_MIGRATION.format(head=max(revisions())))
        about = root / f"lambent-{number}.dist-info"
        about.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: lambent\nVersion: {number}\n"
        (about / "METADATA").write_text(metadata)
        yield number, {"PYTHONPATH": str(root)}
    finally:
        shutil.rmtree(root)
