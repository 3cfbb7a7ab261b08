"""Orders from placing to receipt."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tenants.api.schemas.common import Answer, Body, Fen, Id, Page, PageQuery, Sku, Text, Time
from tenants.api.schemas.session import SHARE_OUTCOME, ShareOutcome
from tenants.api.texts import mark as _

OrderState = Literal["created", "paid", "shipped", "received", "closed"]


class LineWish(Body):
    """So many pieces of a product."""

    sku: Annotated[Text, Field(max_length=200)] = Field(examples=["TEA-100"])
    quantity: int = Field(examples=[1], description=_("1 to 9999."))


class PlaceOrder(Body):
    """An order."""

    lines: list[LineWish] = Field(description=_("1 to 100 lines, each product once."))
    coupon_code: Annotated[Text, Field(max_length=32)] | None = Field(default=None, examples=["WELCOME"])
    shipping_method: Annotated[Text, Field(max_length=32)] | None = Field(default=None, examples=["EXPRESS"])
    region: Annotated[Text, Field(max_length=6)] | None = Field(
        default=None,
        examples=["310115"],
        description=_("The administrative code of the delivery region (GB/T 2260), six digits."),
    )
    share_token: Annotated[Text, Field(max_length=64)] | None = Field(
        default=None,
        examples=["7kQ2mXw9ZbT4cRdA"],
        description=_("Binds a buyer who has no upline yet to the one who shared, before the order is placed."),
    )


class OrderLine(Answer):
    """One product of an order."""

    id: Id
    position: int = Field(examples=[0], description=_("Counted from 0."))
    sku: Sku
    name: str = Field(examples=["茉莉花茶 100 克"])
    category: str = Field(examples=["花茶"])
    unit_price_fen: Fen
    quantity: int = Field(examples=[1])
    discount_fen: Fen = Field(
        examples=[0], description=_("This line's part of all that is taken off: own purchase, coupon, exchange.")
    )
    self_discount_bp: int = Field(
        examples=[0], description=_("The discount on a promoter's own purchase, in hundredths of a percent.")
    )
    paid_fen: Fen = Field(description=_("quantity × unit_price_fen − discount_fen; what commissions are based on."))
    refunded_quantity: int = Field(examples=[0])
    refunded_fen: Fen = Field(examples=[0], description=_("Given back for pieces, or as an amount without goods."))


class Order(Answer):
    """An order."""

    id: Id
    number: str = Field(examples=["2611220000000042"])
    state: OrderState = Field(examples=["paid"])
    goods_fen: Fen
    self_discount_fen: Fen = Field(examples=[0], description=_("What a promoter saves on an own purchase."))
    coupon_fen: Fen = Field(examples=[0])
    exchange_credit_fen: Fen = Field(
        examples=[0], description=_("What goods that came back in exchange are worth; paid with an earlier order.")
    )
    freight_fen: Fen = Field(examples=[0])
    total_fen: Fen = Field(
        description=_("goods_fen − self_discount_fen − coupon_fen − exchange_credit_fen + freight_fen.")
    )
    refunded_fen: Fen = Field(examples=[0])
    lines: list[OrderLine]
    region: str = Field(examples=["310115"], description=_("Empty where nobody said."))
    tracking: str = Field(examples=[""])
    created_at: Time
    expires_at: Time = Field(description=_("Until when it can be paid."))
    paid_at: Time | None
    shipped_at: Time | None = Field(examples=[None])
    auto_receive_at: Time | None = Field(
        examples=[None], description=_("When it counts as received although the buyer has not said so.")
    )
    received_at: Time | None = Field(examples=[None])
    closed_at: Time | None = Field(examples=[None])


class PlacedOrder(Order):
    """An order, and what became of the share link that came with it."""

    share: ShareOutcome | None = Field(examples=["kept"], description=SHARE_OUTCOME)


class OrderRefund(Answer):
    """A refund of an order."""

    refund_id: Id
    amount_fen: Fen
    freight_fen: Fen = Field(examples=[0])
    reason: str = Field(examples=["不喜欢"])
    state: Literal["open", "done", "failed"] = Field(description=_("open until the money is back."))
    created_at: Time


class OrderExchange(Answer):
    """Goods that were given back for others."""

    line_id: Id
    quantity: int = Field(examples=[1], description=_("Pieces that came back."))
    returned_fen: Fen = Field(description=_("What they were worth."))
    replacement_sku: Sku
    replacement_quantity: int = Field(examples=[1])
    replacement_fen: Fen
    new_order_id: Id | None = Field(description=_("The order to pay, where the replacement is worth more."))
    reason: str = Field(examples=["太小"])
    created_at: Time


class OrderWithRefunds(Order):
    """An order with its refunds and exchanges."""

    refunds: list[OrderRefund]
    exchanges: list[OrderExchange]


class OrderQuery(PageQuery):
    """Which orders."""

    state: OrderState | None = Field(default=None, description=_("Only orders in this state."))


class OrderPage(Page[Order]):
    """One's own orders, newest first."""


class PaymentParams(Answer):
    """The arguments of wx.requestPayment, signed; they hold for two hours."""

    appId: str = Field(examples=["wx0123456789abcdef"])  # noqa: N815
    timeStamp: str = Field(examples=["1795336200"])  # noqa: N815
    nonceStr: str = Field(examples=["5K8264ILTKCH16CQ2502SI8ZNMTM67VS"])  # noqa: N815
    package: str = Field(examples=["prepay_id=wx22163000000000example"])
    signType: Literal["RSA"]  # noqa: N815
    paySign: str = Field(examples=["c2lnbmF0dXJl"])  # noqa: N815
