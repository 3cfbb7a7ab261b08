"""What the tests of plugins share with those of money."""

from tests.money.conftest import kept_tenant, renewed, till

__all__ = ["kept_tenant", "renewed", "till"]
