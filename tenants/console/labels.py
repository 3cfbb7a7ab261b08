"""Words and colours for states, accounts and reasons."""

from __future__ import annotations

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from fanyong.web.words import _

Words = dict[str, tuple[str | LazyString, str]]

ORDER: Words = {
    "created": (_l("Waiting for payment"), "yellow"),
    "paid": (_l("Paid, to be shipped"), "blue"),
    "shipped": (_l("Shipped"), "cyan"),
    "received": (_l("Received"), "green"),
    "closed": (_l("Closed"), "secondary"),
}
REFUND: Words = {
    "open": (_l("On its way"), "yellow"),
    "done": (_l("Refunded"), "green"),
    "failed": (_l("Failed"), "red"),
    "requires_action": (_l("Needs a look"), "red"),
}
WITHDRAWAL: Words = {
    "requested": (_l("Waiting for approval"), "yellow"),
    "approved": (_l("On its way"), "blue"),
    "paid": (_l("Paid out"), "green"),
    "rejected": (_l("Rejected"), "secondary"),
    "failed": (_l("Not delivered, returned"), "red"),
}
TRANSFER: Words = {
    "held": (_l("Not sent yet"), "secondary"),
    "created": (_l("Being sent"), "blue"),
    "processing": (_l("WeChat is working on it"), "blue"),
    "requires_action": (_l("Waiting for the member to confirm"), "yellow"),
    "paid": (_l("In the wallet"), "green"),
    "failed": (_l("Failed"), "red"),
    "canceled": (_l("Canceled"), "secondary"),
}
PAYMENT: Words = {
    "requires_payment_method": (_l("Not started"), "secondary"),
    "requires_action": (_l("Waiting for the buyer"), "yellow"),
    "succeeded": (_l("Paid"), "green"),
    "canceled": (_l("Canceled"), "secondary"),
    "requires_merchant_action": (_l("Needs a look"), "red"),
}
ACCRUAL: Words = {
    "estimated": (_l("Estimated"), "yellow"),
    "frozen": (_l("Waiting for release"), "blue"),
    "held": (_l("On hold"), "orange"),
    "released": (_l("Released"), "green"),
    "reversed": (_l("Taken back"), "secondary"),
}
ACCOUNT: Words = {
    "estimated": (_l("Estimated"), "yellow"),
    "frozen": (_l("Waiting for release"), "blue"),
    "available": (_l("Available"), "green"),
    "in_transfer": (_l("In transfer"), "cyan"),
    "paid": (_l("Paid out"), "secondary"),
    "tax_withheld": (_l("Tax withheld"), "secondary"),
    "fee": (_l("Fees"), "secondary"),
    "debt": (_l("Debt"), "red"),
    "commission_expense": (_l("Commission expense"), "secondary"),
    "fee_income": (_l("Fee income"), "secondary"),
    "write_off": (_l("Written off"), "red"),
}
POSTING: Words = {
    "award": (_l("Commission earned"), "yellow"),
    "receive": (_l("Goods received"), "blue"),
    "release": (_l("Released"), "green"),
    "reverse": (_l("Taken back after a refund"), "red"),
    "offset": (_l("Debt repaid"), "orange"),
    "hold": (_l("Set aside for a withdrawal"), "cyan"),
    "paid": (_l("Paid out"), "secondary"),
    "return": (_l("Withdrawal returned"), "green"),
    "tax": (_l("Tax withheld"), "secondary"),
    "fee": (_l("Fee"), "secondary"),
    "write_off": (_l("Debt written off"), "red"),
    "adjust": (_l("Corrected"), "purple"),
}
WITHHELD: Words = {
    "not_promoter": (_l("is not a promoter"), "secondary"),
    "frozen": (_l("was frozen at the time"), "red"),
    "level_not_allowed": (_l("this level was not allowed at the time"), "orange"),
    "zero": (_l("comes to less than one fen"), "secondary"),
}
PROBLEM: Words = {
    "amount_differs": (_l("The amount differs"), "red"),
    "payer_differs": (_l("Somebody else paid"), "red"),
    "merchant_differs": (_l("It was paid to another merchant"), "red"),
    "abnormal": (_l("WeChat cannot return it to the payer"), "red"),
    "missing_here": (_l("In the bill, not in our books"), "red"),
    "missing_there": (_l("In our books, not in the bill"), "red"),
    "state_differs": (_l("In the bill, not finished here"), "orange"),
}
KIND: Words = {
    "payment": (_l("Payment"), "green"),
    "refund": (_l("Refund"), "orange"),
    "transfer": (_l("Transfer"), "blue"),
    "share": (_l("Share"), "blue"),
    "self": (_l("Own purchase"), "purple"),
}
ROLE: Words = {
    "owner": (_l("Owner"), "purple"),
    "operator": (_l("Operator"), "blue"),
    "finance": (_l("Finance"), "green"),
}
ACTION: Words = {
    "admin.added": (_l("Admin added"), "blue"),
    "admin.deactivated": (_l("Admin deactivated"), "red"),
    "admin.activated": (_l("Admin activated"), "green"),
    "admin.logged_in": (_l("Logged in"), "secondary"),
    "books.failures_settled": (_l("Plugin failures settled"), "blue"),
    "brand.went_live": (_l("Brand went live"), "red"),
    "clock.moved": (_l("Test clock moved"), "yellow"),
    "compliance.notice_accepted": (_l("Compliance notice accepted"), "orange"),
    "coupon.saved": (_l("Coupon saved"), "blue"),
    "difference.closed": (_l("Difference closed"), "blue"),
    "order.refund_requested": (_l("Refund requested"), "orange"),
    "order.shipped": (_l("Order shipped"), "blue"),
    "plan.activated": (_l("Plan activated"), "purple"),
    "product.saved": (_l("Product saved"), "blue"),
    "promoter.frozen": (_l("Promoter frozen"), "red"),
    "promoter.unfrozen": (_l("Promoter unfrozen"), "green"),
    "reconciliation.run": (_l("Bills compared"), "blue"),
    "settings.changed": (_l("Settings changed"), "blue"),
    "shipping_method.saved": (_l("Shipping method saved"), "blue"),
    "tiers.activated": (_l("Tiers activated"), "purple"),
    "wechat.keys_saved": (_l("WeChat Pay keys saved"), "orange"),
    "withdrawal.approved": (_l("Withdrawal approved"), "green"),
    "withdrawal.rejected": (_l("Withdrawal rejected"), "red"),
}
_ALL: dict[str, Words] = {
    "order": ORDER,
    "refund": REFUND,
    "withdrawal": WITHDRAWAL,
    "transfer": TRANSFER,
    "payment": PAYMENT,
    "accrual": ACCRUAL,
    "account": ACCOUNT,
    "posting": POSTING,
    "withheld": WITHHELD,
    "problem": PROBLEM,
    "kind": KIND,
    "role": ROLE,
    "action": ACTION,
}


def label(kind: str, value: str) -> str:
    """Return the words for a value; one without words is shown as it is."""
    return str(_ALL[kind].get(value, (value, ""))[0])


def color(kind: str, value: str) -> str:
    """Return the colour of a value's badge."""
    return _ALL[kind].get(value, ("", "secondary"))[1]


def options(words: Words) -> list[tuple[str, str]]:
    """Return the choices of a select over all values."""
    return [(value, str(text)) for value, (text, _color) in words.items()]


def tier_reason(because: str) -> str:
    """Return in words why a tier changed."""
    if because == "joined":
        return _("joined")
    if because == "structure":
        return _("new tier structure")
    return _("order %(number)s", number=because.removeprefix("order "))
