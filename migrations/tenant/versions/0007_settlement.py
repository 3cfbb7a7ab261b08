"""When commissions are released, what a plan may ask of a product, and refunds by amount, recorded, or in exchange."""

from alembic import op

revision = "t0007"
down_revision = "t0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables; orders and products that are there already get what they had silently."""
    _products()
    _orders()
    _refunds()
    _exchanges()
    _holds()
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON order_exchange, release_hold TO __tenant_role__")


def _products() -> None:
    op.execute(
        """
        ALTER TABLE product
            ADD COLUMN product_code TEXT,
            ADD COLUMN cost_fen BIGINT,
            ADD COLUMN tax_bp BIGINT DEFAULT 0 NOT NULL,
            ADD COLUMN commission_base_fen BIGINT,
            ADD CONSTRAINT ck_product_cost CHECK (cost_fen >= 0),
            ADD CONSTRAINT ck_product_tax CHECK (tax_bp BETWEEN 0 AND 10000),
            ADD CONSTRAINT ck_product_commission_base CHECK (commission_base_fen >= 0)
        """
    )
    op.execute("UPDATE product SET product_code = sku")
    op.execute("ALTER TABLE product ALTER COLUMN product_code SET NOT NULL, ALTER COLUMN tax_bp DROP DEFAULT")


def _orders() -> None:
    op.execute(
        """
        ALTER TABLE "order"
            ADD COLUMN self_discount_fen BIGINT DEFAULT 0 NOT NULL,
            ADD COLUMN exchange_credit_fen BIGINT DEFAULT 0 NOT NULL,
            ADD COLUMN region TEXT DEFAULT '' NOT NULL,
            ADD COLUMN settlement JSONB,
            ADD COLUMN auto_receive_at TIMESTAMP WITH TIME ZONE,
            DROP CONSTRAINT ck_order_total,
            ADD CONSTRAINT ck_order_reductions CHECK (self_discount_fen >= 0 AND exchange_credit_fen >= 0),
            ADD CONSTRAINT ck_order_total CHECK (
                total_fen = goods_fen - self_discount_fen - coupon_fen - exchange_credit_fen + freight_fen
                AND total_fen > 0),
            ADD CONSTRAINT ck_order_region CHECK (region ~ '^([1-9][0-9]{5})?$')
        """
    )
    # Orders that were paid before keep the window that was frozen into them.
    op.execute(
        """
        UPDATE "order" SET settlement = jsonb_build_object(
            'trigger', 'window', 'window_days', coalesce(attribution->'window_days', '7'))
         WHERE attribution IS NOT NULL
        """
    )
    op.execute(
        """
        ALTER TABLE "order" ALTER COLUMN self_discount_fen DROP DEFAULT, ALTER COLUMN exchange_credit_fen DROP DEFAULT,
            ALTER COLUMN region DROP DEFAULT, DROP COLUMN attribution
        """
    )
    op.execute("CREATE INDEX ix_order_auto_receive_at ON \"order\" (auto_receive_at) WHERE state = 'shipped'")
    op.execute(
        """
        ALTER TABLE order_line
            ADD COLUMN product_code TEXT,
            ADD COLUMN cost_fen BIGINT,
            ADD COLUMN tax_bp BIGINT DEFAULT 0 NOT NULL,
            ADD COLUMN commission_base_fen BIGINT,
            ADD COLUMN self_discount_bp BIGINT DEFAULT 0 NOT NULL,
            ADD COLUMN adjusted_fen BIGINT DEFAULT 0 NOT NULL,
            ADD CONSTRAINT ck_order_line_adjusted CHECK (adjusted_fen BETWEEN 0 AND refunded_fen)
        """
    )
    op.execute("UPDATE order_line SET product_code = sku")
    op.execute(
        """
        ALTER TABLE order_line ALTER COLUMN product_code SET NOT NULL, ALTER COLUMN tax_bp DROP DEFAULT,
            ALTER COLUMN self_discount_bp DROP DEFAULT, ALTER COLUMN adjusted_fen DROP DEFAULT
        """
    )


def _refunds() -> None:
    op.execute(
        """
        ALTER TABLE order_refund
            ADD COLUMN origin TEXT DEFAULT 'asked' NOT NULL,
            ADD CONSTRAINT ck_order_refund_origin CHECK (origin IN ('asked', 'wechat', 'outside'))
        """
    )
    op.execute(
        """
        ALTER TABLE order_refund_line
            ADD COLUMN adjusted_fen BIGINT DEFAULT 0 NOT NULL,
            DROP CONSTRAINT ck_order_refund_line_amounts,
            ADD CONSTRAINT ck_order_refund_line_covers CHECK (
                quantity >= 0 AND adjusted_fen >= 0 AND quantity + adjusted_fen > 0),
            ADD CONSTRAINT ck_order_refund_line_amounts CHECK (amount_fen >= adjusted_fen)
        """
    )
    op.execute("ALTER TABLE order_refund ALTER COLUMN origin DROP DEFAULT")
    op.execute("ALTER TABLE order_refund_line ALTER COLUMN adjusted_fen DROP DEFAULT")


def _exchanges() -> None:
    op.execute(
        """
        CREATE TABLE order_exchange (
            id UUID NOT NULL,
            order_id UUID NOT NULL,
            line_id UUID NOT NULL,
            quantity BIGINT NOT NULL,
            returned_fen BIGINT NOT NULL,
            replacement_id UUID NOT NULL,
            replacement_quantity BIGINT NOT NULL,
            replacement_fen BIGINT NOT NULL,
            refund_id UUID,
            new_order_id UUID,
            reason TEXT NOT NULL,
            requested_by TEXT NOT NULL,
            idempotency_key TEXT NOT NULL,
            request_hash TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_order_exchange PRIMARY KEY (id),
            CONSTRAINT uq_order_exchange_order_id_idempotency_key UNIQUE (order_id, idempotency_key),
            CONSTRAINT ck_order_exchange_pieces CHECK (quantity > 0 AND replacement_quantity > 0),
            CONSTRAINT ck_order_exchange_amounts CHECK (returned_fen >= 0 AND replacement_fen > 0),
            CONSTRAINT fk_order_exchange_order_id FOREIGN KEY(order_id) REFERENCES "order" (id),
            CONSTRAINT fk_order_exchange_line_id FOREIGN KEY(line_id) REFERENCES order_line (id),
            CONSTRAINT fk_order_exchange_replacement_id FOREIGN KEY(replacement_id) REFERENCES product (id),
            CONSTRAINT fk_order_exchange_refund_id FOREIGN KEY(refund_id) REFERENCES order_refund (refund_id),
            CONSTRAINT fk_order_exchange_new_order_id FOREIGN KEY(new_order_id) REFERENCES "order" (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_order_exchange_line_id ON order_exchange (line_id)")
    op.execute("CREATE INDEX ix_order_exchange_new_order_id ON order_exchange (new_order_id)")


def _holds() -> None:
    op.execute(
        """
        CREATE TABLE release_hold (
            id UUID NOT NULL,
            order_id UUID,
            member_id UUID,
            reason TEXT NOT NULL,
            placed_by TEXT NOT NULL,
            placed_at TIMESTAMP WITH TIME ZONE NOT NULL,
            lifted_by TEXT,
            lifted_at TIMESTAMP WITH TIME ZONE,
            lift_reason TEXT NOT NULL,
            CONSTRAINT pk_release_hold PRIMARY KEY (id),
            CONSTRAINT ck_release_hold_subject CHECK (num_nonnulls(order_id, member_id) = 1),
            CONSTRAINT ck_release_hold_lifted CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
            CONSTRAINT fk_release_hold_member_id FOREIGN KEY(member_id) REFERENCES member (id)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX uq_release_hold_open_order ON release_hold (order_id) WHERE lifted_at IS NULL")
    op.execute("CREATE UNIQUE INDEX uq_release_hold_open_member ON release_hold (member_id) WHERE lifted_at IS NULL")
