"""Everything a brand starts with."""

from alembic import op

revision = "t0001"
down_revision = None
branch_labels = None
depends_on = None

#: What is only ever added to: no right to change it, and a trigger in case somebody grants one.
APPEND_ONLY = (
    "admin_action",
    "event",
    "award",
    "member_binding",
    "posting",
    "tier_change",
    "award_reversal",
)
CHANGEABLE = (
    "admin_user",
    "brand_setting",
    "commission_work",
    "coupon",
    "difference",
    "member",
    "merchant_account",
    "order_commission",
    "payment_intent",
    "plugin_activation",
    "plugin_failure",
    "product",
    "provider_event",
    "reconciled_day",
    "shipping_method",
    "transfer",
    "balance",
    '"order"',
    "promoter",
    "refund",
    "share",
    "withdrawal",
    "accrual",
    "order_line",
    "order_refund",
    "order_refund_line",
)


def upgrade() -> None:
    """Create the tables."""
    op.execute(
        """
        CREATE TABLE admin_action (
            id UUID NOT NULL,
            at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            details JSONB NOT NULL,
            CONSTRAINT pk_admin_action PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE admin_user (
            id UUID NOT NULL,
            email TEXT NOT NULL,
            name TEXT NOT NULL,
            password_hash TEXT NOT NULL,
            role TEXT NOT NULL,
            active BOOLEAN NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_admin_user PRIMARY KEY (id),
            CONSTRAINT uq_admin_user_email UNIQUE (email)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE brand_setting (
            key TEXT NOT NULL,
            value JSONB NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            updated_by TEXT NOT NULL,
            CONSTRAINT pk_brand_setting PRIMARY KEY (key)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE commission_work (
            id UUID NOT NULL,
            key TEXT NOT NULL,
            kind TEXT NOT NULL,
            order_id UUID NOT NULL,
            payload JSONB NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
            done_at TIMESTAMP WITH TIME ZONE,
            error TEXT,
            try_count BIGINT NOT NULL,
            next_try_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
            CONSTRAINT pk_commission_work PRIMARY KEY (id),
            CONSTRAINT ck_commission_work_kind CHECK (kind IN ('paid', 'received', 'refunded')),
            CONSTRAINT uq_commission_work_key UNIQUE (key)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_commission_work_open ON commission_work (order_id, id) WHERE done_at IS NULL
        """
    )
    op.execute(
        """
        CREATE TABLE coupon (
            code TEXT NOT NULL,
            amount_fen BIGINT NOT NULL,
            threshold_fen BIGINT NOT NULL,
            active BOOLEAN NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_coupon PRIMARY KEY (code),
            CONSTRAINT ck_coupon_amounts CHECK (amount_fen > 0 AND threshold_fen >= 0)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE difference (
            id UUID NOT NULL,
            day DATE NOT NULL,
            kind TEXT NOT NULL,
            number TEXT NOT NULL,
            problem TEXT NOT NULL,
            here_fen BIGINT NOT NULL,
            there_fen BIGINT NOT NULL,
            found_at TIMESTAMP WITH TIME ZONE NOT NULL,
            settled_at TIMESTAMP WITH TIME ZONE,
            note TEXT NOT NULL,
            CONSTRAINT pk_difference PRIMARY KEY (id),
            CONSTRAINT uq_difference_kind_number UNIQUE (kind, number),
            CONSTRAINT ck_difference_problem CHECK (problem IN ('missing_here', 'missing_there', 'amount_differs', 'state_differs'))
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_difference_day ON difference (day)
        """
    )
    op.execute(
        """
        CREATE TABLE event (
            id UUID NOT NULL,
            type TEXT NOT NULL,
            object_id UUID NOT NULL,
            data JSONB NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
            CONSTRAINT pk_event PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_event_object_id ON event (object_id)
        """
    )
    op.execute(
        """
        CREATE TABLE member (
            id UUID NOT NULL,
            openid TEXT NOT NULL,
            nickname TEXT NOT NULL,
            parent_id UUID,
            ancestors UUID[] NOT NULL,
            joined_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_member PRIMARY KEY (id),
            CONSTRAINT ck_member_not_own_parent CHECK (parent_id <> id),
            CONSTRAINT uq_member_openid UNIQUE (openid),
            CONSTRAINT fk_member_parent_id FOREIGN KEY(parent_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_member_ancestors ON member USING gin (ancestors)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_member_parent_id ON member (parent_id) INCLUDE (id)
        """
    )
    op.execute(
        """
        CREATE TABLE merchant_account (
            mode TEXT NOT NULL,
            active BOOLEAN NOT NULL,
            appid TEXT NOT NULL,
            app_secret VARCHAR NOT NULL,
            mchid TEXT NOT NULL,
            private_key_pem VARCHAR NOT NULL,
            cert_serial_no TEXT NOT NULL,
            apiv3_key VARCHAR NOT NULL,
            public_key_pem TEXT NOT NULL,
            public_key_id TEXT NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_merchant_account PRIMARY KEY (mode),
            CONSTRAINT ck_merchant_account_mode CHECK (mode IN ('sandbox', 'live'))
        )
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX uq_merchant_account_active ON merchant_account (active) WHERE active
        """
    )
    op.execute(
        """
        CREATE TABLE order_commission (
            order_id UUID NOT NULL,
            plan_version_id UUID,
            withheld JSONB NOT NULL,
            computed_at TIMESTAMP WITH TIME ZONE,
            release_holds BIGINT NOT NULL,
            CONSTRAINT pk_order_commission PRIMARY KEY (order_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE payment_intent (
            id UUID NOT NULL,
            reference_id UUID NOT NULL,
            amount_fen BIGINT NOT NULL,
            description TEXT NOT NULL,
            openid TEXT NOT NULL,
            state TEXT NOT NULL,
            out_trade_no TEXT NOT NULL,
            prepay_id TEXT,
            transaction_id TEXT,
            problem TEXT,
            expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            succeeded_at TIMESTAMP WITH TIME ZONE,
            provider_at TIMESTAMP WITH TIME ZONE,
            next_query_at TIMESTAMP WITH TIME ZONE,
            query_count BIGINT NOT NULL,
            CONSTRAINT pk_payment_intent PRIMARY KEY (id),
            CONSTRAINT ck_payment_intent_amount CHECK (amount_fen > 0),
            CONSTRAINT ck_payment_intent_state CHECK (state IN ('requires_payment_method', 'requires_action', 'succeeded', 'canceled', 'requires_merchant_action')),
            CONSTRAINT uq_payment_intent_reference_id UNIQUE (reference_id),
            CONSTRAINT uq_payment_intent_out_trade_no UNIQUE (out_trade_no)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_payment_intent_next_query_at ON payment_intent (next_query_at)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_payment_intent_provider_at ON payment_intent (provider_at)
        """
    )
    op.execute(
        """
        CREATE TABLE plugin_activation (
            id UUID NOT NULL,
            kind TEXT NOT NULL,
            number BIGINT NOT NULL,
            plugin TEXT NOT NULL,
            plugin_version TEXT NOT NULL,
            settings JSONB NOT NULL,
            activated_at TIMESTAMP WITH TIME ZONE NOT NULL,
            activated_by TEXT NOT NULL,
            retired_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_plugin_activation PRIMARY KEY (id),
            CONSTRAINT uq_plugin_activation_kind_number UNIQUE (kind, number)
        )
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX uq_plugin_activation_current ON plugin_activation (kind) WHERE retired_at IS NULL
        """
    )
    op.execute(
        """
        CREATE TABLE plugin_failure (
            id UUID NOT NULL,
            plugin TEXT NOT NULL,
            hook TEXT NOT NULL,
            error TEXT NOT NULL,
            happened_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
            settled_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_plugin_failure PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE product (
            id UUID NOT NULL,
            sku TEXT NOT NULL,
            name TEXT NOT NULL,
            category TEXT NOT NULL,
            description TEXT NOT NULL,
            price_fen BIGINT NOT NULL,
            stock BIGINT NOT NULL,
            on_sale BOOLEAN NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_product PRIMARY KEY (id),
            CONSTRAINT ck_product_price CHECK (price_fen > 0),
            CONSTRAINT ck_product_stock CHECK (stock >= 0),
            CONSTRAINT uq_product_sku UNIQUE (sku)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE provider_event (
            provider_event_id TEXT NOT NULL,
            type TEXT NOT NULL,
            resource JSONB NOT NULL,
            outcome TEXT NOT NULL,
            received_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
            CONSTRAINT pk_provider_event PRIMARY KEY (provider_event_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE reconciled_day (
            day DATE NOT NULL,
            compared_at TIMESTAMP WITH TIME ZONE NOT NULL,
            payments BIGINT NOT NULL,
            refunds BIGINT NOT NULL,
            transfers BIGINT NOT NULL,
            differences BIGINT NOT NULL,
            CONSTRAINT pk_reconciled_day PRIMARY KEY (day)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE shipping_method (
            code TEXT NOT NULL,
            name TEXT NOT NULL,
            fee_fen BIGINT NOT NULL,
            active BOOLEAN NOT NULL,
            CONSTRAINT pk_shipping_method PRIMARY KEY (code),
            CONSTRAINT ck_shipping_method_fee CHECK (fee_fen >= 0)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE transfer (
            id UUID NOT NULL,
            reference_id UUID NOT NULL,
            out_bill_no TEXT NOT NULL,
            openid TEXT NOT NULL,
            amount_fen BIGINT NOT NULL,
            remark TEXT NOT NULL,
            user_name VARCHAR,
            state TEXT NOT NULL,
            package_info TEXT,
            problem TEXT,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            finished_at TIMESTAMP WITH TIME ZONE,
            provider_at TIMESTAMP WITH TIME ZONE,
            next_try_at TIMESTAMP WITH TIME ZONE,
            try_count BIGINT NOT NULL,
            CONSTRAINT pk_transfer PRIMARY KEY (id),
            CONSTRAINT ck_transfer_amount CHECK (amount_fen > 0),
            CONSTRAINT ck_transfer_state CHECK (state IN ('held', 'created', 'processing', 'requires_action', 'paid', 'failed', 'canceled')),
            CONSTRAINT uq_transfer_reference_id UNIQUE (reference_id),
            CONSTRAINT uq_transfer_out_bill_no UNIQUE (out_bill_no)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_transfer_next_try_at ON transfer (next_try_at)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_transfer_provider_at ON transfer (provider_at)
        """
    )
    op.execute(
        """
        CREATE TABLE award (
            id UUID NOT NULL,
            order_id UUID NOT NULL,
            line_id UUID NOT NULL,
            plan_version_id UUID NOT NULL,
            rule TEXT NOT NULL,
            beneficiary_id UUID NOT NULL,
            kind TEXT NOT NULL,
            level BIGINT NOT NULL,
            base_fen BIGINT NOT NULL,
            rate_bp BIGINT NOT NULL,
            amount_fen BIGINT NOT NULL,
            explanation JSONB NOT NULL,
            awarded_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_award PRIMARY KEY (id),
            CONSTRAINT uq_award_line_id_plan_version_id_rule_beneficiary_id_kind UNIQUE (line_id, plan_version_id, rule, beneficiary_id, kind),
            CONSTRAINT ck_award_amount CHECK (amount_fen > 0 AND amount_fen <= base_fen),
            CONSTRAINT fk_award_beneficiary_id FOREIGN KEY(beneficiary_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_award_beneficiary_id ON award (beneficiary_id, id)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_award_order_id ON award (order_id)
        """
    )
    op.execute(
        """
        CREATE TABLE balance (
            owner_id UUID NOT NULL,
            account TEXT NOT NULL,
            balance_fen BIGINT NOT NULL,
            CONSTRAINT pk_balance PRIMARY KEY (owner_id, account),
            CONSTRAINT ck_balance_not_negative CHECK (balance_fen >= 0),
            CONSTRAINT ck_balance_account CHECK (account IN ('available', 'debt')),
            CONSTRAINT fk_balance_owner_id FOREIGN KEY(owner_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE member_binding (
            id UUID NOT NULL,
            member_id UUID NOT NULL,
            parent_id UUID NOT NULL,
            source TEXT NOT NULL,
            bound_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_member_binding PRIMARY KEY (id),
            CONSTRAINT fk_member_binding_member_id FOREIGN KEY(member_id) REFERENCES member (id),
            CONSTRAINT fk_member_binding_parent_id FOREIGN KEY(parent_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_member_binding_member_id ON member_binding (member_id)
        """
    )
    op.execute(
        """
        CREATE TABLE "order" (
            id UUID NOT NULL,
            number TEXT NOT NULL,
            member_id UUID NOT NULL,
            state TEXT NOT NULL,
            goods_fen BIGINT NOT NULL,
            coupon_fen BIGINT NOT NULL,
            freight_fen BIGINT NOT NULL,
            total_fen BIGINT NOT NULL,
            refunded_fen BIGINT NOT NULL,
            idempotency_key TEXT NOT NULL,
            request_hash TEXT NOT NULL,
            attribution JSONB,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
            paid_at TIMESTAMP WITH TIME ZONE,
            shipped_at TIMESTAMP WITH TIME ZONE,
            tracking TEXT NOT NULL,
            received_at TIMESTAMP WITH TIME ZONE,
            closed_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_order PRIMARY KEY (id),
            CONSTRAINT ck_order_state CHECK (state IN ('created', 'paid', 'shipped', 'received', 'closed')),
            CONSTRAINT ck_order_amounts CHECK (goods_fen > 0 AND coupon_fen >= 0 AND freight_fen >= 0),
            CONSTRAINT ck_order_total CHECK (total_fen = goods_fen - coupon_fen + freight_fen AND total_fen > 0),
            CONSTRAINT uq_order_member_id_idempotency_key UNIQUE (member_id, idempotency_key),
            CONSTRAINT uq_order_number UNIQUE (number),
            CONSTRAINT fk_order_member_id FOREIGN KEY(member_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_order_member_id ON "order" (member_id)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_order_state ON "order" (state)
        """
    )
    op.execute(
        """
        CREATE TABLE posting (
            id UUID NOT NULL,
            business_key TEXT NOT NULL,
            debit_account TEXT NOT NULL,
            debit_owner_id UUID,
            credit_account TEXT NOT NULL,
            credit_owner_id UUID,
            amount_fen BIGINT NOT NULL,
            source_id UUID NOT NULL,
            posted_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_posting PRIMARY KEY (id),
            CONSTRAINT ck_posting_amount CHECK (amount_fen > 0),
            CONSTRAINT ck_posting_two_accounts CHECK (debit_account <> credit_account OR debit_owner_id IS DISTINCT FROM credit_owner_id),
            CONSTRAINT ck_posting_owners CHECK ((debit_account = 'commission_expense') = (debit_owner_id IS NULL) AND (credit_account = 'commission_expense') = (credit_owner_id IS NULL)),
            CONSTRAINT uq_posting_business_key UNIQUE (business_key),
            CONSTRAINT fk_posting_debit_owner_id FOREIGN KEY(debit_owner_id) REFERENCES member (id),
            CONSTRAINT fk_posting_credit_owner_id FOREIGN KEY(credit_owner_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_posting_credit ON posting (credit_owner_id, credit_account) INCLUDE (amount_fen)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_posting_debit ON posting (debit_owner_id, debit_account) INCLUDE (amount_fen)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_posting_source_id ON posting (source_id)
        """
    )
    op.execute(
        """
        CREATE TABLE promoter (
            member_id UUID NOT NULL,
            tier TEXT,
            tier_since TIMESTAMP WITH TIME ZONE,
            evaluated_with UUID,
            frozen_at TIMESTAMP WITH TIME ZONE,
            frozen_reason TEXT,
            own_paid_fen BIGINT NOT NULL,
            own_received_fen BIGINT NOT NULL,
            shared_paid_fen BIGINT NOT NULL,
            shared_received_fen BIGINT NOT NULL,
            CONSTRAINT pk_promoter PRIMARY KEY (member_id),
            CONSTRAINT fk_promoter_member_id FOREIGN KEY(member_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_promoter_evaluated_with ON promoter (evaluated_with)
        """
    )
    op.execute(
        """
        CREATE TABLE refund (
            id UUID NOT NULL,
            intent_id UUID NOT NULL,
            out_refund_no TEXT NOT NULL,
            amount_fen BIGINT NOT NULL,
            reason TEXT NOT NULL,
            state TEXT NOT NULL,
            problem TEXT,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            succeeded_at TIMESTAMP WITH TIME ZONE,
            provider_at TIMESTAMP WITH TIME ZONE,
            next_try_at TIMESTAMP WITH TIME ZONE,
            try_count BIGINT NOT NULL,
            CONSTRAINT pk_refund PRIMARY KEY (id),
            CONSTRAINT ck_refund_amount CHECK (amount_fen > 0),
            CONSTRAINT ck_refund_state CHECK (state IN ('created', 'processing', 'succeeded', 'requires_action', 'failed')),
            CONSTRAINT fk_refund_intent_id FOREIGN KEY(intent_id) REFERENCES payment_intent (id),
            CONSTRAINT uq_refund_out_refund_no UNIQUE (out_refund_no)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_refund_intent_id ON refund (intent_id)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_refund_next_try_at ON refund (next_try_at)
        """
    )
    op.execute(
        """
        CREATE INDEX ix_refund_provider_at ON refund (provider_at)
        """
    )
    op.execute(
        """
        CREATE TABLE share (
            token TEXT NOT NULL,
            member_id UUID NOT NULL,
            product_id UUID,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_share PRIMARY KEY (token),
            CONSTRAINT uq_share_member_id_product_id UNIQUE NULLS NOT DISTINCT (member_id, product_id),
            CONSTRAINT ck_share_token_length CHECK (length(token) <= 32),
            CONSTRAINT fk_share_member_id FOREIGN KEY(member_id) REFERENCES member (id),
            CONSTRAINT fk_share_product_id FOREIGN KEY(product_id) REFERENCES product (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE tier_change (
            id UUID NOT NULL,
            member_id UUID NOT NULL,
            from_tier TEXT,
            to_tier TEXT,
            because TEXT NOT NULL,
            activation_id UUID,
            changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_tier_change PRIMARY KEY (id),
            CONSTRAINT fk_tier_change_member_id FOREIGN KEY(member_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_tier_change_member_id ON tier_change (member_id)
        """
    )
    op.execute(
        """
        CREATE TABLE withdrawal (
            id UUID NOT NULL,
            member_id UUID NOT NULL,
            amount_fen BIGINT NOT NULL,
            state TEXT NOT NULL,
            transfer_id UUID NOT NULL,
            idempotency_key TEXT NOT NULL,
            requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
            decided_at TIMESTAMP WITH TIME ZONE,
            decided_by TEXT,
            reason TEXT,
            finished_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_withdrawal PRIMARY KEY (id),
            CONSTRAINT ck_withdrawal_amount CHECK (amount_fen > 0),
            CONSTRAINT ck_withdrawal_state CHECK (state IN ('requested', 'approved', 'paid', 'rejected', 'failed')),
            CONSTRAINT uq_withdrawal_member_id_idempotency_key UNIQUE (member_id, idempotency_key),
            CONSTRAINT fk_withdrawal_member_id FOREIGN KEY(member_id) REFERENCES member (id),
            CONSTRAINT uq_withdrawal_transfer_id UNIQUE (transfer_id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_withdrawal_state ON withdrawal (state)
        """
    )
    op.execute(
        """
        CREATE TABLE accrual (
            award_id UUID NOT NULL,
            order_id UUID NOT NULL,
            line_id UUID NOT NULL,
            beneficiary_id UUID NOT NULL,
            remaining_fen BIGINT NOT NULL,
            state TEXT NOT NULL,
            due_at TIMESTAMP WITH TIME ZONE,
            released_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_accrual PRIMARY KEY (award_id),
            CONSTRAINT ck_accrual_state CHECK (state IN ('estimated', 'frozen', 'released', 'reversed')),
            CONSTRAINT ck_accrual_remaining CHECK (remaining_fen >= 0),
            CONSTRAINT ck_accrual_due CHECK (state <> 'frozen' OR due_at IS NOT NULL),
            CONSTRAINT fk_accrual_award_id FOREIGN KEY(award_id) REFERENCES award (id),
            CONSTRAINT fk_accrual_beneficiary_id FOREIGN KEY(beneficiary_id) REFERENCES member (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_accrual_due_at ON accrual (due_at) WHERE state = 'frozen'
        """
    )
    op.execute(
        """
        CREATE INDEX ix_accrual_order_id ON accrual (order_id)
        """
    )
    op.execute(
        """
        CREATE TABLE award_reversal (
            id UUID NOT NULL,
            award_id UUID NOT NULL,
            refund_id UUID NOT NULL,
            amount_fen BIGINT NOT NULL,
            reversed_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_award_reversal PRIMARY KEY (id),
            CONSTRAINT uq_award_reversal_award_id_refund_id UNIQUE (award_id, refund_id),
            CONSTRAINT ck_award_reversal_amount CHECK (amount_fen > 0),
            CONSTRAINT fk_award_reversal_award_id FOREIGN KEY(award_id) REFERENCES award (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE order_line (
            id UUID NOT NULL,
            order_id UUID NOT NULL,
            position BIGINT NOT NULL,
            product_id UUID NOT NULL,
            sku TEXT NOT NULL,
            name TEXT NOT NULL,
            category TEXT NOT NULL,
            unit_price_fen BIGINT NOT NULL,
            quantity BIGINT NOT NULL,
            discount_fen BIGINT NOT NULL,
            paid_fen BIGINT NOT NULL,
            refunded_quantity BIGINT NOT NULL,
            refunded_fen BIGINT NOT NULL,
            CONSTRAINT pk_order_line PRIMARY KEY (id),
            CONSTRAINT ck_order_line_amounts CHECK (quantity > 0 AND unit_price_fen > 0),
            CONSTRAINT ck_order_line_paid CHECK (paid_fen = quantity * unit_price_fen - discount_fen AND paid_fen >= 0),
            CONSTRAINT ck_order_line_refunded_quantity CHECK (refunded_quantity BETWEEN 0 AND quantity),
            CONSTRAINT ck_order_line_refunded CHECK (refunded_fen BETWEEN 0 AND paid_fen),
            CONSTRAINT uq_order_line_order_id_position UNIQUE (order_id, position),
            CONSTRAINT fk_order_line_order_id FOREIGN KEY(order_id) REFERENCES "order" (id),
            CONSTRAINT fk_order_line_product_id FOREIGN KEY(product_id) REFERENCES product (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE order_refund (
            refund_id UUID NOT NULL,
            order_id UUID NOT NULL,
            idempotency_key TEXT NOT NULL,
            request_hash TEXT NOT NULL,
            freight_fen BIGINT NOT NULL,
            amount_fen BIGINT NOT NULL,
            reason TEXT NOT NULL,
            requested_by TEXT NOT NULL,
            state TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_order_refund PRIMARY KEY (refund_id),
            CONSTRAINT uq_order_refund_order_id_idempotency_key UNIQUE (order_id, idempotency_key),
            CONSTRAINT fk_order_refund_order_id FOREIGN KEY(order_id) REFERENCES "order" (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_order_refund_order_id ON order_refund (order_id)
        """
    )
    op.execute(
        """
        CREATE TABLE order_refund_line (
            refund_id UUID NOT NULL,
            line_id UUID NOT NULL,
            quantity BIGINT NOT NULL,
            amount_fen BIGINT NOT NULL,
            CONSTRAINT pk_order_refund_line PRIMARY KEY (refund_id, line_id),
            CONSTRAINT ck_order_refund_line_amounts CHECK (quantity > 0 AND amount_fen >= 0),
            CONSTRAINT fk_order_refund_line_refund_id FOREIGN KEY(refund_id) REFERENCES order_refund (refund_id),
            CONSTRAINT fk_order_refund_line_line_id FOREIGN KEY(line_id) REFERENCES order_line (id)
        )
        """
    )

    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append only', ERRCODE = '42501'; END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    # Explicit lists: GRANT ON ALL TABLES reads the whole catalog, which grows with every brand.
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(CHANGEABLE)} TO __tenant_role__")
    op.execute(f"GRANT SELECT, INSERT ON {', '.join(APPEND_ONLY)} TO __tenant_role__")
