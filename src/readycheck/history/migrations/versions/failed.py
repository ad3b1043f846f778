"""Which requirements failed: it stays when the report is pruned."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("run", sa.Column("failed", sa.Text, nullable=False, server_default=""))
