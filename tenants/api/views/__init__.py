"""The operations, one module an area; importing them registers them."""

from tenants.api.views import about, orders, promoter, session, shop, withdrawals

__all__ = ["about", "orders", "promoter", "session", "shop", "withdrawals"]
