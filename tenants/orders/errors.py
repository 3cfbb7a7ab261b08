"""What can be wrong with an order."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError


class UnknownProduct(FanyongError):
    code = "unknown_product"
    status = 422
    message = _l("There is no product “%(sku)s” on sale.")


class EmptyOrder(FanyongError):
    code = "empty_order"
    status = 422
    message = _l("An order needs at least one line with a quantity from 1 to 9999, each product once.")


class UnknownRegion(FanyongError):
    code = "unknown_region"
    status = 422
    message = _l("“%(region)s” is no region: the code of an administrative region has six digits, like 310115.")


class NothingToPay(FanyongError):
    code = "nothing_to_pay"
    status = 422
    message = _l("There has to be at least 0.01 left to pay.")


STATE_WORDS = {
    "created": _l("waiting for payment"),
    "paid": _l("paid"),
    "shipped": _l("shipped"),
    "received": _l("received"),
    "closed": _l("closed"),
    "refunded": _l("refunded"),
}


class WrongOrderState(FanyongError):
    """An order is in a state in which this cannot be done; `state` is one of `STATE_WORDS`."""

    code = "wrong_order_state"
    status = 409
    message = _l("This cannot be done with an order that is “%(state)s”.")

    def __init__(self, *, state: str) -> None:
        super().__init__(state=STATE_WORDS[state])


class RefundOutOfBounds(FanyongError):
    code = "refund_out_of_bounds"
    status = 422
    message = _l(
        "A refund covers lines of the order, each with a quantity or an amount that is left, and freight that was paid."
    )


class ExchangeOutOfBounds(FanyongError):
    code = "exchange_out_of_bounds"
    status = 422
    message = _l("An exchange covers pieces of a line that were neither given back nor exchanged before.")
