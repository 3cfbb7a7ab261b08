"""Frozen orders are found by payment, the order in which back-tests read them; lines tell what an exchange took."""

from alembic import op

revision = "t0010"
down_revision = "t0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index and the column; what an exchange took off lines of before is not known any more."""
    op.execute("CREATE INDEX ix_attribution_frozen_at_order_id ON attribution (frozen_at, order_id)")
    op.execute("ALTER TABLE order_line ADD COLUMN exchanged_fen BIGINT NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE order_line ALTER COLUMN exchanged_fen DROP DEFAULT")
