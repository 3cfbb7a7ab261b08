"""Who may do what: permissions are `scope:resource:action`, roles are sets of them."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """Everything somebody may be allowed to do."""

    BRAND_READ = "brand:dashboard:read"
    DEBTS_WRITE_OFF = "brand:debts:write_off"
    COMMISSIONS_HOLD = "brand:commissions:hold"
    LEDGER_READ = "brand:ledger:read"
    ORDERS_READ = "brand:orders:read"
    ORDERS_REFUND = "brand:orders:refund"
    ORDERS_SHIP = "brand:orders:ship"
    PLANS_READ = "brand:plans:read"
    PLANS_WRITE = "brand:plans:write"
    PRODUCTS_READ = "brand:products:read"
    PRODUCTS_WRITE = "brand:products:write"
    PROMOTERS_APPOINT = "brand:promoters:appoint"
    PROMOTERS_FREEZE = "brand:promoters:freeze"
    PROMOTERS_READ = "brand:promoters:read"
    PROMOTERS_REVIEW = "brand:promoters:review"
    RECONCILIATION_WRITE = "brand:reconciliation:write"
    REWARDS_POST = "brand:rewards:post"
    SETTINGS_READ = "brand:settings:read"
    SETTINGS_WRITE = "brand:settings:write"
    STAFF_WRITE = "brand:staff:write"
    WITHDRAWALS_DECIDE = "brand:withdrawals:decide"
    WITHDRAWALS_PAY = "brand:withdrawals:pay"
    WITHDRAWALS_READ = "brand:withdrawals:read"
    WITHDRAWALS_REVIEW = "brand:withdrawals:review"
    PLATFORM_AUDIT = "platform:audit:read"
    PLATFORM_READ = "platform:brands:read"
    PLATFORM_SUSPEND = "platform:brands:suspend"
    PLATFORM_WAIVE = "platform:waivers:write"


_P = Permission
BRAND_ROLES: dict[str, frozenset[Permission]] = {
    "owner": frozenset(p for p in Permission if p.startswith("brand:")),
    "operator": frozenset(
        {
            _P.BRAND_READ,
            _P.ORDERS_READ,
            _P.ORDERS_SHIP,
            _P.PRODUCTS_READ,
            _P.PRODUCTS_WRITE,
            _P.PROMOTERS_READ,
            _P.PROMOTERS_REVIEW,
        }
    ),
    "finance": frozenset(
        {
            _P.BRAND_READ,
            _P.DEBTS_WRITE_OFF,
            _P.COMMISSIONS_HOLD,
            _P.LEDGER_READ,
            _P.ORDERS_READ,
            _P.ORDERS_REFUND,
            _P.PROMOTERS_FREEZE,
            _P.PROMOTERS_READ,
            _P.RECONCILIATION_WRITE,
            _P.REWARDS_POST,
            _P.WITHDRAWALS_DECIDE,
            _P.WITHDRAWALS_PAY,
            _P.WITHDRAWALS_READ,
            _P.WITHDRAWALS_REVIEW,
        }
    ),
}
STAFF_ROLES: dict[str, frozenset[Permission]] = {
    "superadmin": frozenset(p for p in Permission if p.startswith("platform:")),
    "support": frozenset({_P.PLATFORM_AUDIT, _P.PLATFORM_READ}),
}
