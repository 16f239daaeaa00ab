"""Which releases can use the tables."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0024"
suits_previous_release = True


def upgrade() -> None:
    with op.batch_alter_table("platform") as platform:
        platform.add_column(sa.Column("usable_from", sa.String(32)))
        platform.add_column(sa.Column("migrated_by", sa.String(64)))


def downgrade() -> None:
    with op.batch_alter_table("platform") as platform:
        platform.drop_column("migrated_by")
        platform.drop_column("usable_from")
