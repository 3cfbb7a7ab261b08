"""The books anew: numbered postings, lean awards, an inbox that empties, buckets to release, seals over all of it."""

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

_AWARD_COLUMNS = (
    "id",
    "order_id",
    "line_id",
    "plan_version_id",
    "beneficiary_id",
    "base_fen",
    "amount_fen",
    "awarded_at",
    "rate_bp",
    "level",
    "kind",
    "rule",
)


def _number(expression: str, numbers: dict[str, int]) -> str:
    whens = " ".join(f"WHEN '{name}' THEN {number}" for name, number in numbers.items())
    return f"CASE {expression} {whens} END"


def upgrade() -> None:
    """Write postings and awards anew, in the order in which one needs the other, and drop their old forms."""
    _make_room()
    _create_posting()
    _fill_posting()
    _balances()
    _attributions()
    _inbox()
    _reversals()
    _awards()
    _buckets()
    _seals()
    op.execute("DROP TABLE accrual")
    op.execute("DROP TABLE posting_t0001")
    op.execute("DROP TABLE award_t0001")


def _balances() -> None:
    op.execute("ALTER TABLE balance DROP CONSTRAINT ck_balance_account")
    op.execute("ALTER TABLE balance DROP CONSTRAINT fk_balance_owner_id")
    op.execute(f"ALTER TABLE balance ALTER account TYPE smallint USING {_number('account', ACCOUNTS)}")
    op.execute("ALTER TABLE balance ADD CONSTRAINT ck_balance_account CHECK (account IN (13, 17))")


def _attributions() -> None:
    op.execute(
        """
        CREATE TABLE attribution (
            order_id UUID NOT NULL,
            plan_version_id UUID,
            policy TEXT NOT NULL,
            facts TEXT NOT NULL,
            frozen_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_attribution PRIMARY KEY (order_id)
        )
        """
    )
    op.execute(
        """
        INSERT INTO attribution (order_id, plan_version_id, policy, facts, frozen_at)
        SELECT id, CAST(attribution->>'plan_version_id' AS uuid), attribution->>'policy',
               CAST(attribution->'facts' AS text), paid_at
          FROM "order" WHERE attribution IS NOT NULL
        """
    )
    op.execute(
        """
        UPDATE "order" SET attribution = jsonb_build_object('window_days', attribution->'window_days')
         WHERE attribution IS NOT NULL
        """
    )
    _append_only("attribution")


def _inbox() -> None:
    """Keep what waits; what is done has its effect in the books."""
    op.execute("DELETE FROM commission_work WHERE done_at IS NOT NULL")
    op.execute("DROP INDEX ix_commission_work_open")
    op.execute("ALTER TABLE commission_work DROP COLUMN key, DROP COLUMN done_at, ALTER payload DROP NOT NULL")
    op.execute("ALTER TABLE commission_work ALTER try_count SET DEFAULT 0")
    op.execute("UPDATE commission_work SET payload = NULL WHERE kind = 'paid'")
    op.execute("ALTER TABLE order_commission ADD COLUMN due_at TIMESTAMP WITH TIME ZONE, ALTER withheld DROP NOT NULL")
    op.execute("UPDATE order_commission SET withheld = NULL WHERE withheld = '[]'")
    op.execute(
        """
        UPDATE order_commission o SET due_at = a.due_at
          FROM (SELECT order_id, max(due_at) AS due_at FROM accrual GROUP BY 1) a WHERE a.order_id = o.order_id
        """
    )
    op.execute(
        """
        UPDATE order_commission o SET due_at = b.received_at
          FROM "order" b WHERE b.id = o.order_id AND b.received_at IS NOT NULL AND o.due_at IS NULL
           AND NOT EXISTS (SELECT FROM commission_work w WHERE w.order_id = b.id AND w.kind = 'received')
        """
    )


def _reversals() -> None:
    """Note which reversals came after the release: those that took from the balance, or made a debt."""
    op.execute("ALTER TABLE award_reversal ADD COLUMN after_release BOOLEAN DEFAULT false NOT NULL")
    op.execute("ALTER TABLE award_reversal DISABLE TRIGGER append_only")
    op.execute(
        """
        UPDATE award_reversal r SET after_release = true
         WHERE EXISTS (SELECT FROM posting p WHERE p.source_id = r.id AND p.kind = 4 AND p.debit IN (13, 17))
        """
    )
    op.execute("ALTER TABLE award_reversal ENABLE TRIGGER append_only")
    op.execute("ALTER TABLE award_reversal ALTER after_release DROP DEFAULT")
    op.execute("ALTER TABLE award_reversal DROP CONSTRAINT fk_award_reversal_award_id")


def _awards() -> None:
    op.execute("ALTER TABLE award RENAME TO award_t0001")
    op.execute("ALTER TABLE accrual DROP CONSTRAINT fk_accrual_award_id")
    for name in ("pk_award", "ck_award_amount"):
        op.execute(f"ALTER TABLE award_t0001 DROP CONSTRAINT {name}")
    op.execute("DROP INDEX ix_award_beneficiary_id")
    for column in _AWARD_COLUMNS:
        op.execute(f"ALTER TABLE award_t0001 ALTER {column} DROP NOT NULL")
    op.execute(
        """
        CREATE TABLE award (
            id UUID NOT NULL,
            order_id UUID NOT NULL,
            line_id UUID NOT NULL,
            plan_version_id UUID NOT NULL,
            beneficiary_id UUID NOT NULL,
            base_fen BIGINT NOT NULL,
            amount_fen BIGINT NOT NULL,
            awarded_at TIMESTAMP WITH TIME ZONE NOT NULL,
            rate_bp INTEGER NOT NULL,
            level SMALLINT NOT NULL,
            kind TEXT NOT NULL,
            rule TEXT NOT NULL,
            tier TEXT NOT NULL,
            details JSONB,
            CONSTRAINT pk_award PRIMARY KEY (id),
            CONSTRAINT uq_award_order_id_line_id_beneficiary_id_rule UNIQUE (order_id, line_id, beneficiary_id, rule),
            CONSTRAINT ck_award_amount CHECK (amount_fen > 0)
        )
        """
    )
    op.execute(
        f"""
        INSERT INTO award ({", ".join(_AWARD_COLUMNS)}, tier, details)
        SELECT {", ".join(_AWARD_COLUMNS)}, coalesce(explanation->>'tier', ''),
               nullif(explanation - ARRAY['rule', 'tier', 'level', 'base_fen', 'rate_bp', 'amount_fen', 'plan',
                                          'exact_fen_times_10000', 'rounding', 'plan_version'], '{{}}')
          FROM award_t0001 ORDER BY id
        """
    )
    op.execute("CREATE INDEX ix_award_beneficiary_id ON award (beneficiary_id, id)")
    op.execute(
        "ALTER TABLE award_reversal ADD CONSTRAINT fk_award_reversal_award_id "
        "FOREIGN KEY(award_id) REFERENCES award (id)"
    )
    _append_only("award")


def _buckets() -> None:
    """Put what waits, and what was released, into buckets; what is held goes its own way."""
    op.execute(
        """
        CREATE TABLE release_bucket (
            id UUID NOT NULL,
            due_at TIMESTAMP WITH TIME ZONE NOT NULL,
            owner_id UUID NOT NULL,
            amount_fen BIGINT NOT NULL,
            released_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_release_bucket PRIMARY KEY (id),
            CONSTRAINT uq_release_bucket_due_at_owner_id UNIQUE (due_at, owner_id),
            CONSTRAINT ck_release_bucket_amount CHECK (amount_fen >= 0),
            CONSTRAINT ck_release_bucket_released CHECK (released_at >= due_at)
        )
        """
    )
    op.execute("CREATE INDEX ix_release_bucket_open ON release_bucket (due_at, owner_id) WHERE released_at IS NULL")
    op.execute(
        """
        CREATE TABLE release_detour (
            order_id UUID NOT NULL,
            owner_id UUID NOT NULL,
            due_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_release_detour PRIMARY KEY (order_id, owner_id)
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON release_bucket, release_detour TO __tenant_role__")
    op.execute(
        """
        INSERT INTO release_detour (order_id, owner_id)
        SELECT DISTINCT a.order_id, a.beneficiary_id FROM accrual a JOIN order_commission o USING (order_id)
         WHERE a.state = 'frozen' AND o.release_holds > 0
        """
    )
    op.execute(
        """
        INSERT INTO release_bucket (id, due_at, owner_id, amount_fen, released_at)
        SELECT gen_random_uuid(), a.due_at, a.beneficiary_id,
               sum(w.amount_fen - coalesce((SELECT sum(r.amount_fen) FROM award_reversal r
                                             WHERE r.award_id = w.id AND NOT r.after_release), 0)),
               max(a.released_at)
          FROM accrual a JOIN award w ON w.id = a.award_id
         WHERE a.due_at IS NOT NULL
           AND NOT EXISTS (SELECT FROM release_detour d
                            WHERE d.order_id = a.order_id AND d.owner_id = a.beneficiary_id)
         GROUP BY a.due_at, a.beneficiary_id
        """
    )


def _seals() -> None:
    op.execute(
        """
        CREATE TABLE seal (
            number BIGINT NOT NULL,
            first_position BIGINT NOT NULL,
            last_position BIGINT NOT NULL,
            hash BYTEA NOT NULL,
            row_hashes BYTEA NOT NULL,
            sealed_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_seal PRIMARY KEY (number),
            CONSTRAINT uq_seal_last_position UNIQUE (last_position),
            CONSTRAINT ck_seal_range CHECK (number > 0 AND last_position >= first_position)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE account_sum (
            owner_id UUID NOT NULL,
            account SMALLINT NOT NULL,
            fen BIGINT NOT NULL,
            CONSTRAINT pk_account_sum PRIMARY KEY (owner_id, account)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE earning (
            period TEXT NOT NULL,
            owner_id UUID NOT NULL,
            earned_fen BIGINT NOT NULL,
            reversed_fen BIGINT NOT NULL,
            net_fen BIGINT NOT NULL,
            awards BIGINT NOT NULL,
            CONSTRAINT pk_earning PRIMARY KEY (period, owner_id)
        )
        """
    )
    op.execute("CREATE INDEX ix_earning_board ON earning (period, net_fen DESC, owner_id)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON account_sum, earning TO __tenant_role__")
    _append_only("seal")


def _append_only(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(f"GRANT SELECT, INSERT ON {table} TO __tenant_role__")


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
    _append_only("posting")


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
