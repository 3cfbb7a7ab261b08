"""The directory of brands, platform staff, waivers and the platform's audit trail."""

from alembic import op

revision = "p0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.execute(
        """
        CREATE TABLE control.audit_entry (
            id UUID NOT NULL,
            at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            tenant_id UUID,
            details JSONB NOT NULL,
            CONSTRAINT pk_audit_entry PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_audit_entry_tenant_id ON control.audit_entry (tenant_id)
        """
    )
    op.execute(
        """
        CREATE TABLE control.staff_user (
            id UUID NOT NULL,
            email TEXT NOT NULL,
            name TEXT NOT NULL,
            password_hash TEXT NOT NULL,
            role TEXT NOT NULL,
            active BOOLEAN NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_staff_user PRIMARY KEY (id),
            CONSTRAINT uq_staff_user_email UNIQUE (email)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE control.tenant (
            id UUID NOT NULL,
            slug TEXT,
            name TEXT NOT NULL,
            schema_name TEXT NOT NULL,
            cell BIGINT NOT NULL,
            state TEXT NOT NULL,
            version TEXT NOT NULL,
            migration_error TEXT,
            suspended_reason TEXT,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            claimed_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_tenant PRIMARY KEY (id),
            CONSTRAINT ck_tenant_state CHECK (state IN ('ready', 'active', 'suspended')),
            CONSTRAINT ck_tenant_named CHECK (state = 'ready' OR slug IS NOT NULL),
            CONSTRAINT uq_tenant_slug UNIQUE (slug),
            CONSTRAINT uq_tenant_schema_name UNIQUE (schema_name)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE control.domain (
            host TEXT NOT NULL,
            tenant_id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT pk_domain PRIMARY KEY (host),
            CONSTRAINT fk_domain_tenant_id FOREIGN KEY(tenant_id) REFERENCES control.tenant (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_domain_tenant_id ON control.domain (tenant_id)
        """
    )
    op.execute(
        """
        CREATE TABLE control.level_waiver (
            id UUID NOT NULL,
            tenant_id UUID NOT NULL,
            levels BIGINT NOT NULL,
            reason TEXT NOT NULL,
            ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
            granted_by TEXT NOT NULL,
            granted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            revoked_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_level_waiver PRIMARY KEY (id),
            CONSTRAINT ck_level_waiver_levels CHECK (levels BETWEEN 2 AND 3),
            CONSTRAINT fk_level_waiver_tenant_id FOREIGN KEY(tenant_id) REFERENCES control.tenant (id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_level_waiver_tenant_id ON control.level_waiver (tenant_id)
        """
    )
