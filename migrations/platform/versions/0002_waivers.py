"""Waivers of more kinds: besides levels, team rewards and entry purchases."""

from alembic import op

revision = "p0002"
down_revision = "p0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give waivers a kind; those that are there are for levels."""
    op.execute("ALTER TABLE control.level_waiver ADD COLUMN kind TEXT DEFAULT 'levels' NOT NULL")
    op.execute("ALTER TABLE control.level_waiver ALTER COLUMN levels DROP NOT NULL")
    op.execute("ALTER TABLE control.level_waiver DROP CONSTRAINT ck_level_waiver_levels")
    op.execute(
        """
        ALTER TABLE control.level_waiver
            ADD CONSTRAINT ck_level_waiver_kind CHECK (kind IN ('levels', 'team', 'entry')),
            ADD CONSTRAINT ck_level_waiver_levels CHECK (
                CASE WHEN kind = 'levels' THEN levels IS NOT NULL AND levels BETWEEN 2 AND 3 ELSE levels IS NULL END
            )
        """
    )
