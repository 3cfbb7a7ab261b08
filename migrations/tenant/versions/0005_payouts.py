"""Payouts: tax, fee and net of a withdrawal, channels and payees, batches, reviews, debts written off."""

from alembic import op

revision = "t0005"
down_revision = "t0004"
branch_labels = None
depends_on = None

APPEND_ONLY = ("payout_policy", "payout_batch", "payout_import", "debt_write_off")
CHANGEABLE = ("payee_account", "watch_entry")
TABLES = (
    """
    CREATE TABLE payout_policy (
        id UUID NOT NULL,
        kind TEXT NOT NULL,
        number BIGINT NOT NULL,
        parameters JSONB NOT NULL,
        effective_from DATE,
        note TEXT NOT NULL,
        saved_at TIMESTAMP WITH TIME ZONE NOT NULL,
        saved_by TEXT NOT NULL,
        CONSTRAINT pk_payout_policy PRIMARY KEY (id),
        CONSTRAINT ck_payout_policy_kind CHECK (kind IN ('tax', 'screening')),
        CONSTRAINT ck_payout_policy_effective_from CHECK ((kind = 'tax') = (effective_from IS NOT NULL)),
        CONSTRAINT uq_payout_policy_kind_number UNIQUE (kind, number)
    )
    """,
    """
    CREATE TABLE payee_account (
        id UUID NOT NULL,
        member_id UUID NOT NULL,
        channel TEXT NOT NULL,
        details VARCHAR NOT NULL,
        fingerprint TEXT NOT NULL,
        shown TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        retired_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_payee_account PRIMARY KEY (id),
        CONSTRAINT fk_payee_account_member_id FOREIGN KEY(member_id) REFERENCES member (id)
    )
    """,
    "CREATE UNIQUE INDEX uq_payee_account_current ON payee_account (member_id, channel) WHERE retired_at IS NULL",
    "CREATE INDEX ix_payee_account_fingerprint ON payee_account (fingerprint)",
    """
    CREATE TABLE payout_batch (
        id UUID NOT NULL,
        number BIGINT NOT NULL,
        channel TEXT NOT NULL,
        settings JSONB NOT NULL,
        payouts BIGINT NOT NULL,
        sum_fen BIGINT NOT NULL,
        made_at TIMESTAMP WITH TIME ZONE NOT NULL,
        made_by TEXT NOT NULL,
        CONSTRAINT pk_payout_batch PRIMARY KEY (id),
        CONSTRAINT ck_payout_batch_amounts CHECK (payouts > 0 AND sum_fen > 0),
        CONSTRAINT uq_payout_batch_number UNIQUE (number)
    )
    """,
    """
    CREATE TABLE payout_import (
        id UUID NOT NULL,
        batch_id UUID NOT NULL,
        file_hash TEXT NOT NULL,
        outcome JSONB NOT NULL,
        imported_at TIMESTAMP WITH TIME ZONE NOT NULL,
        imported_by TEXT NOT NULL,
        CONSTRAINT pk_payout_import PRIMARY KEY (id),
        CONSTRAINT uq_payout_import_batch_id_file_hash UNIQUE (batch_id, file_hash),
        CONSTRAINT fk_payout_import_batch_id FOREIGN KEY(batch_id) REFERENCES payout_batch (id)
    )
    """,
    """
    CREATE TABLE watch_entry (
        id UUID NOT NULL,
        kind TEXT NOT NULL,
        value TEXT NOT NULL,
        shown TEXT NOT NULL,
        note TEXT NOT NULL,
        added_at TIMESTAMP WITH TIME ZONE NOT NULL,
        added_by TEXT NOT NULL,
        removed_at TIMESTAMP WITH TIME ZONE,
        removed_by TEXT,
        CONSTRAINT pk_watch_entry PRIMARY KEY (id),
        CONSTRAINT ck_watch_entry_kind CHECK (kind IN ('member', 'account', 'device'))
    )
    """,
    "CREATE UNIQUE INDEX uq_watch_entry_current ON watch_entry (kind, value) WHERE removed_at IS NULL",
    """
    CREATE TABLE debt_write_off (
        id UUID NOT NULL,
        member_id UUID NOT NULL,
        amount_fen BIGINT NOT NULL,
        reason TEXT NOT NULL,
        written_off_at TIMESTAMP WITH TIME ZONE NOT NULL,
        written_off_by TEXT NOT NULL,
        CONSTRAINT pk_debt_write_off PRIMARY KEY (id),
        CONSTRAINT ck_debt_write_off_amount CHECK (amount_fen > 0),
        CONSTRAINT fk_debt_write_off_member_id FOREIGN KEY(member_id) REFERENCES member (id)
    )
    """,
    "CREATE INDEX ix_debt_write_off_member_id ON debt_write_off (member_id)",
)
#: Withdrawals so far went to WeChat in full: no tax was withheld and no fee taken.
WITHDRAWAL = (
    """
    ALTER TABLE withdrawal
        ALTER COLUMN transfer_id DROP NOT NULL,
        ADD COLUMN tax_fen BIGINT NOT NULL DEFAULT 0,
        ADD COLUMN fee_fen BIGINT NOT NULL DEFAULT 0,
        ADD COLUMN net_fen BIGINT,
        ADD COLUMN tax_month DATE,
        ADD COLUMN tax_policy_id UUID,
        ADD COLUMN tax_details JSONB,
        ADD COLUMN channel TEXT NOT NULL DEFAULT 'payout_wechat',
        ADD COLUMN payout_number TEXT,
        ADD COLUMN payee_id UUID,
        ADD COLUMN real_name VARCHAR,
        ADD COLUMN device_id TEXT,
        ADD COLUMN batch_id UUID,
        ADD COLUMN proof TEXT,
        ADD COLUMN held_reasons JSONB,
        ADD COLUMN reviewed_at TIMESTAMP WITH TIME ZONE,
        ADD COLUMN reviewed_by TEXT,
        ADD COLUMN review_note TEXT,
        ADD COLUMN first_approved_at TIMESTAMP WITH TIME ZONE,
        ADD COLUMN first_approved_by TEXT
    """,
    """
    UPDATE withdrawal w
       SET net_fen = w.amount_fen,
           payout_number = t.out_bill_no,
           tax_month = date_trunc('month', w.requested_at AT TIME ZONE 'Asia/Shanghai')::date
      FROM transfer t WHERE t.id = w.transfer_id
    """,
    """
    ALTER TABLE withdrawal
        ALTER COLUMN tax_fen DROP DEFAULT,
        ALTER COLUMN fee_fen DROP DEFAULT,
        ALTER COLUMN channel DROP DEFAULT,
        ALTER COLUMN net_fen SET NOT NULL,
        ALTER COLUMN tax_month SET NOT NULL,
        ALTER COLUMN payout_number SET NOT NULL,
        DROP CONSTRAINT ck_withdrawal_state,
        ADD CONSTRAINT ck_withdrawal_state
            CHECK (state IN ('requested', 'held', 'approved', 'paid', 'rejected', 'failed')),
        ADD CONSTRAINT ck_withdrawal_parts
            CHECK (amount_fen = net_fen + tax_fen + fee_fen AND net_fen > 0 AND tax_fen >= 0 AND fee_fen >= 0),
        ADD CONSTRAINT ck_withdrawal_two_people CHECK (first_approved_by <> decided_by OR state = 'rejected'),
        ADD CONSTRAINT uq_withdrawal_payout_number UNIQUE (payout_number),
        ADD CONSTRAINT fk_withdrawal_tax_policy_id FOREIGN KEY(tax_policy_id) REFERENCES payout_policy (id),
        ADD CONSTRAINT fk_withdrawal_transfer_id FOREIGN KEY(transfer_id) REFERENCES transfer (id),
        ADD CONSTRAINT fk_withdrawal_payee_id FOREIGN KEY(payee_id) REFERENCES payee_account (id),
        ADD CONSTRAINT fk_withdrawal_batch_id FOREIGN KEY(batch_id) REFERENCES payout_batch (id)
    """,
    "CREATE INDEX ix_withdrawal_member_id_requested_at ON withdrawal (member_id, requested_at)",
    "CREATE INDEX ix_withdrawal_requested_at ON withdrawal (requested_at)",
    "CREATE INDEX ix_withdrawal_tax_month ON withdrawal (tax_month)",
    "CREATE INDEX ix_withdrawal_device_id ON withdrawal (device_id) WHERE device_id IS NOT NULL",
    "CREATE INDEX ix_withdrawal_batch_id ON withdrawal (batch_id) WHERE batch_id IS NOT NULL",
)


def upgrade() -> None:
    """Create the tables and give every withdrawal its parts."""
    for statement in (*TABLES, *WITHDRAWAL):
        op.execute(statement)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(CHANGEABLE)} TO __tenant_role__")
    op.execute(f"GRANT SELECT, INSERT ON {', '.join(APPEND_ONLY)} TO __tenant_role__")
