"""Versions of plans and tiers that wait and are scheduled, what was done to each, and back-tests over past orders."""

from alembic import op

revision = "t0003"
down_revision = "t0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give versions a state; those that are there are active or retired."""
    _versions()
    _changes()
    _backtests()


def _versions() -> None:
    op.execute("DROP INDEX uq_plugin_activation_current")
    op.execute(
        """
        ALTER TABLE plugin_activation
            ADD COLUMN state TEXT,
            ADD COLUMN title TEXT,
            ADD COLUMN created_at TIMESTAMP WITH TIME ZONE,
            ADD COLUMN created_by TEXT,
            ADD COLUMN effective_at TIMESTAMP WITH TIME ZONE,
            ADD COLUMN problem TEXT,
            ALTER COLUMN activated_at DROP NOT NULL,
            ALTER COLUMN activated_by DROP NOT NULL
        """
    )
    op.execute(
        """
        UPDATE plugin_activation SET title = '', created_at = activated_at, created_by = activated_by,
               state = CASE WHEN retired_at IS NULL THEN 'active' ELSE 'retired' END
        """
    )
    op.execute(
        """
        ALTER TABLE plugin_activation
            ALTER COLUMN state SET NOT NULL,
            ALTER COLUMN title SET NOT NULL,
            ALTER COLUMN created_at SET NOT NULL,
            ALTER COLUMN created_by SET NOT NULL,
            ADD CONSTRAINT ck_plugin_activation_state CHECK (
                state IN ('draft', 'scheduled', 'active', 'retired', 'refused', 'discarded')),
            ADD CONSTRAINT ck_plugin_activation_scheduled CHECK (state <> 'scheduled' OR effective_at IS NOT NULL),
            ADD CONSTRAINT ck_plugin_activation_activated CHECK (
                state NOT IN ('active', 'retired') OR activated_at IS NOT NULL),
            ADD CONSTRAINT ck_plugin_activation_retired CHECK ((state = 'retired') = (retired_at IS NOT NULL))
        """
    )
    op.execute("CREATE UNIQUE INDEX uq_plugin_activation_current ON plugin_activation (kind) WHERE state = 'active'")


def _changes() -> None:
    op.execute(
        """
        CREATE TABLE plugin_change (
            id UUID NOT NULL,
            activation_id UUID NOT NULL,
            at TIMESTAMP WITH TIME ZONE NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            changes JSONB NOT NULL,
            CONSTRAINT pk_plugin_change PRIMARY KEY (id),
            CONSTRAINT fk_plugin_change_activation_id FOREIGN KEY(activation_id) REFERENCES plugin_activation (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_plugin_change_activation_id ON plugin_change (activation_id)")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON plugin_change "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON plugin_change TO __tenant_role__")


def _backtests() -> None:
    op.execute(
        """
        CREATE TABLE backtest_run (
            id UUID NOT NULL,
            activation_id UUID NOT NULL,
            plugin TEXT NOT NULL,
            settings JSONB NOT NULL,
            starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
            ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
            state TEXT NOT NULL,
            orders_total BIGINT,
            orders_done BIGINT NOT NULL,
            cursor UUID,
            totals JSONB NOT NULL,
            problem TEXT,
            requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
            requested_by TEXT NOT NULL,
            finished_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_backtest_run PRIMARY KEY (id),
            CONSTRAINT ck_backtest_run_state CHECK (state IN ('running', 'done', 'canceled', 'failed')),
            CONSTRAINT ck_backtest_run_period CHECK (starts_at < ends_at),
            CONSTRAINT fk_backtest_run_activation_id FOREIGN KEY(activation_id) REFERENCES plugin_activation (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_backtest_run_running ON backtest_run (id) WHERE state = 'running'")
    op.execute(
        """
        CREATE TABLE backtest_promoter (
            run_id UUID NOT NULL,
            member_id UUID NOT NULL,
            now_fen BIGINT NOT NULL,
            then_fen BIGINT NOT NULL,
            CONSTRAINT pk_backtest_promoter PRIMARY KEY (run_id, member_id),
            CONSTRAINT fk_backtest_promoter_run_id FOREIGN KEY(run_id) REFERENCES backtest_run (id),
            CONSTRAINT fk_backtest_promoter_member_id FOREIGN KEY(member_id) REFERENCES member (id)
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON backtest_run, backtest_promoter TO __tenant_role__")
