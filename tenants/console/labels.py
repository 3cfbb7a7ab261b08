"""Words and colours for states, accounts and reasons."""

from __future__ import annotations

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

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
ORIGIN: Words = {
    "asked": (_l("through WeChat"), "secondary"),
    "wechat": (_l("recorded: happened at WeChat"), "orange"),
    "outside": (_l("recorded: happened outside WeChat"), "orange"),
}
WITHDRAWAL: Words = {
    "requested": (_l("Waiting for approval"), "yellow"),
    "held": (_l("Held for a review"), "orange"),
    "approved": (_l("On its way"), "blue"),
    "paid": (_l("Paid out"), "green"),
    "rejected": (_l("Rejected"), "secondary"),
    "failed": (_l("Not delivered, returned"), "red"),
    "returned": (_l("Returned after the payout"), "red"),
}
#: What came of a row of a bank's result file.
PAYOUT_ROW: Words = {
    "paid": (_l("Paid"), "green"),
    "failed": (_l("Failed, returned"), "red"),
    "returned": (_l("Returned after the payout"), "red"),
    "pending": (_l("Not finished at the bank"), "yellow"),
    "already": (_l("Booked before"), "secondary"),
    "unknown": (_l("Unknown number"), "red"),
    "amount_differs": (_l("Another amount"), "red"),
    "contradicts": (_l("Contradicts the books"), "red"),
    "not_in_file": (_l("Missing in the file"), "secondary"),
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
    "fee": (_l("Withdrawal fee"), "secondary"),
    "write_off": (_l("Debt written off"), "red"),
    "tax_back": (_l("Tax given back"), "green"),
}
WITHHELD: Words = {
    "not_promoter": (_l("is not a promoter"), "secondary"),
    "frozen": (_l("was frozen at the time"), "red"),
    "level_not_allowed": (_l("this level was not allowed at the time"), "orange"),
    "zero": (_l("comes to less than one fen"), "secondary"),
    "team_not_allowed": (_l("team rewards were not allowed at the time"), "orange"),
    "no_upline": (_l("the buyer has nobody there"), "secondary"),
    "outranked": (_l("somebody below holds the same or a higher tier"), "secondary"),
    "no_cost": (_l("the cost of the goods is not known"), "orange"),
    "line_cap": (_l("the limit of the line was reached"), "orange"),
    "order_cap": (_l("the limit of the order was reached"), "orange"),
    "promoter_day_cap": (_l("the limit of the day was reached"), "orange"),
    "budget": (_l("the budget has run out"), "red"),
}
PROBLEM: Words = {
    "amount_differs": (_l("The amount differs"), "red"),
    "payer_differs": (_l("Somebody else paid"), "red"),
    "merchant_differs": (_l("It was paid to another merchant"), "red"),
    "abnormal": (_l("WeChat cannot return it to the payer"), "red"),
    "missing_here": (_l("In the bill, not in our books"), "red"),
    "missing_there": (_l("In our books, not in the bill"), "red"),
    "state_differs": (_l("In the bill, not finished here"), "orange"),
    "day_differs": (_l("In the bill of another day than in our books"), "orange"),
}
DIFFERENCE: Words = {
    "open": (_l("Open"), "red"),
    "assigned": (_l("Being looked into"), "yellow"),
    "closed": (_l("Closed"), "green"),
}
#: What a comparison notes when it closes a difference by itself.
CLOSED_BY_RUN: Words = {
    "gone": (_l("A later comparison did not find it any more"), "green"),
    "midnight": (_l("The same movement on both sides of midnight"), "green"),
}
RECONCILED_DAY: Words = {
    "agrees": (_l("agrees"), "green"),
    "settled": (_l("differences, all closed"), "green"),
    "differs": (_l("open differences"), "red"),
    "failed": (_l("not compared"), "orange"),
}
KIND: Words = {
    "payment": (_l("Payment"), "green"),
    "refund": (_l("Refund"), "orange"),
    "transfer": (_l("Transfer"), "blue"),
    "share": (_l("Share"), "blue"),
    "self": (_l("Own purchase"), "purple"),
    "bonus": (_l("Bonus"), "cyan"),
    "team": (_l("Team reward"), "orange"),
    "region": (_l("Region agent"), "teal"),
    "period": (_l("For the month"), "green"),
}
VERSION: Words = {
    "draft": (_l("Draft"), "yellow"),
    "scheduled": (_l("Scheduled"), "blue"),
    "active": (_l("In force"), "green"),
    "retired": (_l("Retired"), "secondary"),
    "refused": (_l("Was not allowed"), "red"),
    "discarded": (_l("Discarded"), "secondary"),
}
VERSION_CHANGE: Words = {
    "created": (_l("Draft made"), "yellow"),
    "changed": (_l("Changed"), "yellow"),
    "scheduled": (_l("Scheduled"), "blue"),
    "unscheduled": (_l("Schedule taken back"), "yellow"),
    "activated": (_l("Put in force"), "green"),
    "retired": (_l("Retired"), "secondary"),
    "refused": (_l("Was not allowed when its time came"), "red"),
    "discarded": (_l("Discarded"), "secondary"),
}
BACKTEST: Words = {
    "running": (_l("Running"), "blue"),
    "done": (_l("Done"), "green"),
    "canceled": (_l("Canceled"), "secondary"),
    "failed": (_l("Failed"), "red"),
}
REWARDS: Words = {
    "waiting": (_l("Being worked out"), "blue"),
    "nothing": (_l("Nothing to reward"), "secondary"),
    "computed": (_l("To be looked at"), "yellow"),
    "failed": (_l("Failed"), "red"),
    "discarded": (_l("Discarded"), "secondary"),
    "posting": (_l("Being posted"), "blue"),
    "posted": (_l("Posted"), "green"),
}
APPLICATION: Words = {
    "open": (_l("To be decided"), "yellow"),
    "approved": (_l("Accepted"), "green"),
    "rejected": (_l("Turned down"), "secondary"),
}
REGION: Words = {
    "province": (_l("Province"), "purple"),
    "city": (_l("City"), "blue"),
    "district": (_l("District"), "cyan"),
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
    "agent.appointed": (_l("Region agent appointed"), "purple"),
    "agent.ended": (_l("Region agent ended"), "orange"),
    "application.approved": (_l("Application accepted"), "green"),
    "application.rejected": (_l("Application turned down"), "red"),
    "books.failures_settled": (_l("Plugin failures settled"), "blue"),
    "brand.went_live": (_l("Brand went live"), "red"),
    "clock.moved": (_l("Test clock moved"), "yellow"),
    "compliance.notice_accepted": (_l("Compliance notice accepted"), "orange"),
    "debt.written_off": (_l("Debt written off"), "orange"),
    "payee.shown": (_l("Payee looked at"), "orange"),
    "payout_batch.exported": (_l("Payout file downloaded"), "orange"),
    "payout_batch.made": (_l("Payout batch made"), "blue"),
    "payout_batch.results_read": (_l("Payout results read"), "blue"),
    "payout_channel.saved": (_l("Payout channel saved"), "blue"),
    "screening.saved": (_l("Rules against money laundering saved"), "purple"),
    "tax_policy.saved": (_l("Tax policy saved"), "purple"),
    "tax_report.exported": (_l("Tax report downloaded"), "blue"),
    "watch.added": (_l("Put on the watch list"), "orange"),
    "watch.removed": (_l("Taken off the watch list"), "blue"),
    "withdrawal.approved_once": (_l("Withdrawal approved by the first of two"), "green"),
    "withdrawal.failed": (_l("Payout failed, returned"), "red"),
    "withdrawal.paid": (_l("Payout booked by hand"), "green"),
    "withdrawal.returned": (_l("Payout came back, returned"), "red"),
    "withdrawal.released": (_l("Withdrawal no longer held"), "blue"),
    "coupon.saved": (_l("Coupon saved"), "blue"),
    "difference.assigned": (_l("Difference assigned"), "blue"),
    "difference.closed": (_l("Difference closed"), "blue"),
    "order.commissions_brought_forward": (_l("Commissions released early"), "orange"),
    "order.commissions_held": (_l("Commissions put on hold"), "orange"),
    "order.commissions_let_go": (_l("Commissions let go"), "green"),
    "order.exchanged": (_l("Goods exchanged"), "orange"),
    "order.refund_recorded": (_l("Refund recorded"), "orange"),
    "invitation.made": (_l("Invitation made"), "blue"),
    "invitation.revoked": (_l("Invitation withdrawn"), "secondary"),
    "order.refund_requested": (_l("Refund requested"), "orange"),
    "order.shipped": (_l("Order shipped"), "blue"),
    "rewards.discarded": (_l("Month-end rewards discarded"), "secondary"),
    "rewards.posted": (_l("Month-end rewards posted"), "green"),
    "rewards.settings_saved": (_l("Month-end rewards set up"), "purple"),
    "rewards.worked_out_again": (_l("Month-end rewards worked out again"), "yellow"),
    "plan.activated": (_l("Plan activated"), "purple"),
    "plan.backtest_canceled": (_l("Back-test canceled"), "secondary"),
    "plan.backtest_started": (_l("Back-test started"), "blue"),
    "plan.draft_changed": (_l("Plan draft changed"), "yellow"),
    "plan.draft_created": (_l("Plan draft made"), "yellow"),
    "plan.draft_discarded": (_l("Plan draft discarded"), "secondary"),
    "plan.refused": (_l("Scheduled plan was not allowed"), "red"),
    "plan.scheduled": (_l("Plan scheduled"), "blue"),
    "plan.unscheduled": (_l("Plan's schedule taken back"), "yellow"),
    "product.saved": (_l("Product saved"), "blue"),
    "products.imported": (_l("Products imported"), "blue"),
    "promoter.commissions_held": (_l("Promoter's commissions put on hold"), "orange"),
    "promoter.commissions_let_go": (_l("Promoter's commissions let go"), "green"),
    "promoter.frozen": (_l("Promoter frozen"), "red"),
    "promoter.unfrozen": (_l("Promoter unfrozen"), "green"),
    "reconciliation.run": (_l("Bills compared"), "blue"),
    "settings.changed": (_l("Settings changed"), "blue"),
    "shipping_method.saved": (_l("Shipping method saved"), "blue"),
    "tiers.tried": (_l("Tiers tried out"), "secondary"),
    "tiers.activated": (_l("Tiers activated"), "purple"),
    "tiers.draft_changed": (_l("Tier draft changed"), "yellow"),
    "tiers.draft_created": (_l("Tier draft made"), "yellow"),
    "tiers.draft_discarded": (_l("Tier draft discarded"), "secondary"),
    "tiers.refused": (_l("Scheduled tiers were not allowed"), "red"),
    "tiers.scheduled": (_l("Tiers scheduled"), "blue"),
    "tiers.unscheduled": (_l("Tiers' schedule taken back"), "yellow"),
    "waiver.granted": (_l("Waiver granted by the platform"), "green"),
    "waiver.revoked": (_l("Waiver ended by the platform"), "red"),
    "wechat.keys_saved": (_l("WeChat Pay keys saved"), "orange"),
    "withdrawal.approved": (_l("Withdrawal approved"), "green"),
    "withdrawal.rejected": (_l("Withdrawal rejected"), "red"),
}
_ALL: dict[str, Words] = {
    "order": ORDER,
    "refund": REFUND,
    "origin": ORIGIN,
    "withdrawal": WITHDRAWAL,
    "transfer": TRANSFER,
    "payment": PAYMENT,
    "accrual": ACCRUAL,
    "account": ACCOUNT,
    "posting": POSTING,
    "withheld": WITHHELD,
    "problem": PROBLEM,
    "difference": DIFFERENCE,
    "closed_by_run": CLOSED_BY_RUN,
    "reconciled_day": RECONCILED_DAY,
    "kind": KIND,
    "application": APPLICATION,
    "region": REGION,
    "role": ROLE,
    "version": VERSION,
    "version_change": VERSION_CHANGE,
    "backtest": BACKTEST,
    "rewards": REWARDS,
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
