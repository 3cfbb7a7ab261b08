"""Payouts that came back after they were paid, tax given back, and keys of debts that were given up."""

from alembic import op

revision = "t0009"
down_revision = "t0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table; debts that were given up before have no key."""
    op.execute(
        """
        ALTER TABLE withdrawal
            ADD COLUMN returned_at TIMESTAMP WITH TIME ZONE,
            ADD COLUMN returned_by TEXT,
            ADD COLUMN return_proof TEXT,
            DROP CONSTRAINT ck_withdrawal_state,
            ADD CONSTRAINT ck_withdrawal_state CHECK (
                state IN ('requested', 'held', 'approved', 'paid', 'rejected', 'failed', 'returned')),
            ADD CONSTRAINT ck_withdrawal_returned CHECK (
                (state = 'returned') = (returned_at IS NOT NULL) AND (state <> 'returned' OR transfer_id IS NULL))
        """
    )
    op.execute(
        """
        CREATE TABLE tax_correction (
            id UUID NOT NULL,
            member_id UUID NOT NULL,
            withdrawal_id UUID NOT NULL,
            tax_month DATE NOT NULL,
            cause_id UUID NOT NULL,
            amount_fen BIGINT NOT NULL,
            cause_state TEXT NOT NULL,
            withheld_before_fen BIGINT NOT NULL,
            booked_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_tax_correction PRIMARY KEY (id),
            CONSTRAINT ck_tax_correction_amount CHECK (amount_fen > 0),
            CONSTRAINT fk_tax_correction_member_id FOREIGN KEY(member_id) REFERENCES member (id),
            CONSTRAINT fk_tax_correction_withdrawal_id FOREIGN KEY(withdrawal_id) REFERENCES withdrawal (id),
            CONSTRAINT fk_tax_correction_cause_id FOREIGN KEY(cause_id) REFERENCES withdrawal (id)
        )
        """
    )
    for column in ("member_id", "withdrawal_id", "tax_month"):
        op.execute(f"CREATE INDEX ix_tax_correction_{column} ON tax_correction ({column})")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tax_correction "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON tax_correction TO __tenant_role__")
    op.execute(
        """
        ALTER TABLE debt_write_off
            ADD COLUMN idempotency_key TEXT,
            ADD CONSTRAINT uq_debt_write_off_member_id_idempotency_key UNIQUE (member_id, idempotency_key)
        """
    )
