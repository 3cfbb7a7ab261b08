"""Frozen orders are found by when they were paid, which back-tests go through them by."""

from alembic import op

revision = "t0010"
down_revision = "t0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.execute("CREATE INDEX ix_attribution_frozen_at_order_id ON attribution (frozen_at, order_id)")
