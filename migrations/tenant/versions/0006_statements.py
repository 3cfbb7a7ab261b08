"""Days of reconciliation that remember sums, failures and the next try; differences that are tasks."""

from alembic import op

revision = "t0006"
down_revision = "t0005"
branch_labels = None
depends_on = None

_DAY_COUNTS = ("payments_fen", "refunds_fen", "transfers_fen", "try_count")
_DAY_SUMS = ("bill_payments_fen", "bill_refunds_fen", "bill_transfers_fen")


def upgrade() -> None:
    """Change both tables; what was closed stays closed, and young days are compared again for their sums."""
    added = ", ".join(
        [
            *(f"ADD COLUMN {name} BIGINT DEFAULT 0 NOT NULL" for name in _DAY_COUNTS),
            *(f"ADD COLUMN {name} BIGINT" for name in _DAY_SUMS),
            "ADD COLUMN problem TEXT DEFAULT '' NOT NULL",
            "ADD COLUMN next_run_at TIMESTAMP WITH TIME ZONE",
            "ALTER COLUMN compared_at DROP NOT NULL",
        ]
    )
    op.execute(f"ALTER TABLE reconciled_day {added}")
    op.execute("UPDATE reconciled_day SET next_run_at = compared_at")
    settled = ", ".join(f"ALTER COLUMN {name} DROP DEFAULT" for name in (*_DAY_COUNTS, "problem"))
    op.execute(f"ALTER TABLE reconciled_day {settled}")
    op.execute(
        "CREATE INDEX ix_reconciled_day_next_run_at ON reconciled_day (next_run_at) WHERE next_run_at IS NOT NULL"
    )

    op.execute("ALTER TABLE difference RENAME COLUMN settled_at TO closed_at")
    op.execute(
        """
        ALTER TABLE difference
            ADD COLUMN state TEXT DEFAULT 'open' NOT NULL,
            ADD COLUMN assignee TEXT DEFAULT '' NOT NULL,
            ADD COLUMN assigned_at TIMESTAMP WITH TIME ZONE,
            ADD COLUMN closed_by TEXT DEFAULT '' NOT NULL,
            DROP CONSTRAINT uq_difference_kind_number,
            DROP CONSTRAINT ck_difference_problem
        """
    )
    op.execute(
        """
        UPDATE difference
           SET state = 'closed',
               closed_by = CASE note WHEN 'no longer found' THEN 'run' ELSE '' END,
               note = CASE note WHEN 'no longer found' THEN 'gone' ELSE note END
         WHERE closed_at IS NOT NULL
        """
    )
    op.execute(
        """
        ALTER TABLE difference
            ALTER COLUMN state DROP DEFAULT,
            ALTER COLUMN assignee DROP DEFAULT,
            ALTER COLUMN closed_by DROP DEFAULT,
            ADD CONSTRAINT uq_difference_day_kind_number UNIQUE (day, kind, number),
            ADD CONSTRAINT ck_difference_problem CHECK (problem IN
                ('missing_here', 'missing_there', 'amount_differs', 'state_differs', 'day_differs')),
            ADD CONSTRAINT ck_difference_state CHECK (state IN ('open', 'assigned', 'closed')),
            ADD CONSTRAINT ck_difference_closed CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
            ADD CONSTRAINT ck_difference_assigned CHECK (state <> 'assigned' OR assignee <> '')
        """
    )
    op.execute("CREATE INDEX ix_difference_number ON difference (number)")
    op.execute("CREATE INDEX ix_difference_unclosed ON difference (found_at) WHERE state <> 'closed'")
