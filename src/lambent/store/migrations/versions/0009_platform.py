"""The database's own name, so that it is not taken for another, and who holds it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "platform",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("starts", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.JSON(none_as_null=True)),
    )


def downgrade() -> None:
    op.drop_table("platform")
