"""What the tests of plugins share with those of money."""

from tests.money.conftest import kept_tenant, till

__all__ = ["kept_tenant", "till"]
