"""Postings by number: accounts and kinds as small integers, positions in the order of the commits."""

from alembic import op

revision = "t0002"
down_revision = "t0001"
branch_labels = None
depends_on = None

#: What the accounts and the first part of a business key were called, and their numbers now.
ACCOUNTS = {
    "commission_expense": 1,
    "estimated": 11,
    "frozen": 12,
    "available": 13,
    "in_transfer": 14,
    "paid": 15,
    "debt": 17,
}
KINDS = {"award": 1, "receive": 2, "release": 3, "reverse": 4, "offset": 5, "hold": 6, "paid": 7, "return": 8}


def _number(expression: str, numbers: dict[str, int]) -> str:
    whens = " ".join(f"WHEN '{name}' THEN {number}" for name, number in numbers.items())
    return f"CASE {expression} {whens} END"


def upgrade() -> None:
    """Write the postings anew and drop their old form."""
    _make_room()
    _create_posting()
    _fill_posting()
    op.execute("DROP TABLE posting_t0001")
    op.execute("ALTER TABLE balance DROP CONSTRAINT ck_balance_account")
    op.execute("ALTER TABLE balance DROP CONSTRAINT fk_balance_owner_id")
    op.execute(f"ALTER TABLE balance ALTER account TYPE smallint USING {_number('account', ACCOUNTS)}")
    op.execute("ALTER TABLE balance ADD CONSTRAINT ck_balance_account CHECK (account IN (13, 17))")


def _make_room() -> None:
    """Let go of the names that the new table and its indexes have."""
    op.execute("ALTER TABLE posting RENAME TO posting_t0001")
    op.execute("ALTER TABLE posting_t0001 DROP CONSTRAINT pk_posting")
    op.execute("ALTER TABLE posting_t0001 DROP CONSTRAINT ck_posting_amount")
    op.execute("ALTER TABLE posting_t0001 DROP CONSTRAINT ck_posting_two_accounts")
    # Newer servers give names to these too.
    for column in ("amount_fen", "posted_at", "source_id"):
        op.execute(f"ALTER TABLE posting_t0001 ALTER {column} DROP NOT NULL")


def _create_posting() -> None:
    op.execute(
        """
        CREATE TABLE posting (
            position BIGINT NOT NULL,
            amount_fen BIGINT NOT NULL,
            posted_at TIMESTAMP WITH TIME ZONE NOT NULL,
            source_id UUID NOT NULL,
            owner_id UUID NOT NULL,
            kind SMALLINT NOT NULL,
            debit SMALLINT NOT NULL,
            credit SMALLINT NOT NULL,
            part SMALLINT NOT NULL,
            CONSTRAINT pk_posting PRIMARY KEY (position),
            CONSTRAINT uq_posting_source_id_kind_part UNIQUE (source_id, kind, part),
            CONSTRAINT ck_posting_amount CHECK (amount_fen > 0),
            CONSTRAINT ck_posting_two_accounts CHECK (debit <> credit AND (debit > 10 OR credit > 10))
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_posting_owner_id_position ON posting (owner_id, position)
            INCLUDE (debit, credit, amount_fen)
        """
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON posting FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON posting TO __tenant_role__")


def _fill_posting() -> None:
    """Give every old posting its place, in the order of time, and its key as kind, source and part.

    A reversal is that of one award by one refund; what came out of the debt is its second part.
    """
    old_kind = _number("split_part(p.business_key, ':', 1)", KINDS)
    op.execute(
        f"""
        INSERT INTO posting (position, amount_fen, posted_at, source_id, owner_id, kind, debit, credit, part)
        SELECT row_number() OVER (ORDER BY p.posted_at, p.id), p.amount_fen, p.posted_at,
               coalesce(r.id, p.source_id), coalesce(p.debit_owner_id, p.credit_owner_id), {old_kind},
               {_number("p.debit_account", ACCOUNTS)}, {_number("p.credit_account", ACCOUNTS)},
               CASE split_part(p.business_key, ':', 4) WHEN 'debt' THEN 1 ELSE 0 END
          FROM posting_t0001 p
          LEFT JOIN award_reversal r ON split_part(p.business_key, ':', 1) = 'reverse'
               AND r.award_id::text = split_part(p.business_key, ':', 2)
               AND r.refund_id::text = split_part(p.business_key, ':', 3)
        """
    )
