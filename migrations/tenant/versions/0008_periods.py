"""Counters for limits over several orders, and the rewards of months that are over."""

from alembic import op

revision = "t0008"
down_revision = "t0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables; orders that were computed before were held to no limit over several orders."""
    op.execute("ALTER TABLE order_commission ADD COLUMN spending JSONB")
    op.execute(
        """
        CREATE TABLE plan_spending (
            scope_id UUID NOT NULL,
            period TEXT NOT NULL,
            spent_fen BIGINT NOT NULL,
            ran_out_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_plan_spending PRIMARY KEY (scope_id, period),
            CONSTRAINT ck_plan_spending_spent CHECK (spent_fen >= 0)
        )
        """
    )
    _runs()
    _lines()
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON plan_spending, period_run, period_line TO __tenant_role__")


def _runs() -> None:
    op.execute(
        """
        CREATE TABLE period_run (
            id UUID NOT NULL,
            month TEXT NOT NULL,
            state TEXT NOT NULL,
            plan_version_id UUID,
            turnover_fen BIGINT NOT NULL,
            people BIGINT NOT NULL,
            awards BIGINT NOT NULL,
            total_fen BIGINT NOT NULL,
            withheld BIGINT NOT NULL,
            posted BIGINT NOT NULL,
            problem TEXT NOT NULL,
            reason TEXT NOT NULL,
            computed_at TIMESTAMP WITH TIME ZONE,
            decided_by TEXT NOT NULL,
            decided_at TIMESTAMP WITH TIME ZONE,
            due_at TIMESTAMP WITH TIME ZONE,
            posted_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_period_run PRIMARY KEY (id),
            CONSTRAINT uq_period_run_month UNIQUE (month),
            CONSTRAINT ck_period_run_month CHECK (month ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$'),
            CONSTRAINT ck_period_run_state CHECK (
                state IN ('waiting', 'nothing', 'computed', 'failed', 'discarded', 'posting', 'posted')),
            CONSTRAINT ck_period_run_decided CHECK ((decided_at IS NOT NULL) = (state IN ('discarded', 'posting', 'posted'))),
            CONSTRAINT ck_period_run_due CHECK ((due_at IS NOT NULL) = (state IN ('posting', 'posted'))),
            CONSTRAINT ck_period_run_posted CHECK (
                posted <= awards AND (state <> 'posted' OR (posted = awards AND posted_at IS NOT NULL))),
            CONSTRAINT fk_period_run_plan_version_id FOREIGN KEY(plan_version_id) REFERENCES plugin_activation (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_period_run_at_work ON period_run (month) WHERE state IN ('waiting', 'posting')")


def _lines() -> None:
    op.execute(
        """
        CREATE TABLE period_line (
            id UUID NOT NULL,
            run_id UUID NOT NULL,
            member_id UUID NOT NULL,
            rule TEXT NOT NULL,
            amount_fen BIGINT NOT NULL,
            base_fen BIGINT NOT NULL,
            rate_bp BIGINT NOT NULL,
            tier TEXT NOT NULL,
            explanation JSONB,
            reason TEXT,
            award_id UUID,
            CONSTRAINT pk_period_line PRIMARY KEY (id),
            CONSTRAINT uq_period_line_run_id_member_id_rule UNIQUE (run_id, member_id, rule),
            CONSTRAINT ck_period_line_amount CHECK (CASE WHEN reason IS NULL THEN amount_fen > 0 ELSE amount_fen = 0 END),
            CONSTRAINT ck_period_line_award CHECK (award_id IS NULL OR reason IS NULL),
            CONSTRAINT fk_period_line_run_id FOREIGN KEY(run_id) REFERENCES period_run (id),
            CONSTRAINT fk_period_line_member_id FOREIGN KEY(member_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_period_line_unposted ON period_line (run_id, member_id)
         WHERE reason IS NULL AND award_id IS NULL
        """
    )
    op.execute("CREATE INDEX ix_period_line_run_id_amount_fen ON period_line (run_id, amount_fen DESC, id)")
