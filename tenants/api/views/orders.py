"""Orders from placing to receipt."""

from __future__ import annotations

from fanyong.errors import IdempotencyMismatch, NotFound, TemporarilyUnavailable
from fanyong.ids import parse_id
from fanyong.payments import flows
from fanyong.payments.provider import PaymentsNotReady, ProviderError
from fanyong.tenancy.database import unit_of_work
from tenants.api import service
from tenants.api.auth import current_member
from tenants.api.blueprint import bp
from tenants.api.operations import operation
from tenants.api.schemas import orders as schemas
from tenants.api.schemas.common import IdempotencyHeaders
from tenants.api.texts import mark as _
from tenants.catalog import service as catalog
from tenants.catalog.service import OutOfStock
from tenants.orders import exchanges, refunds
from tenants.orders import service as orders
from tenants.orders.errors import EmptyOrder, NothingToPay, UnknownProduct, UnknownRegion, WrongOrderState
from tenants.orders.models import Order, OrderExchange
from tenants.promotions.service import CouponNotUsable
from tenants.shipping.service import UnknownShippingMethod


@bp.post("/orders")
@operation(
    tag="orders",
    summary=_("Place an order"),
    description=_(
        "Reserves the goods for half an hour. The same Idempotency-Key again returns the same order with status 200; "
        "with other lines, coupon, shipping or region it is refused. A share link is handled as in the log-in."
    ),
    answers={201: schemas.PlacedOrder, 200: schemas.PlacedOrder},
    raises=(
        EmptyOrder,
        UnknownProduct,
        CouponNotUsable,
        UnknownShippingMethod,
        UnknownRegion,
        NothingToPay,
        OutOfStock,
        IdempotencyMismatch,
    ),
)
def place_order(json: schemas.PlaceOrder, headers: IdempotencyHeaders) -> tuple[schemas.PlacedOrder, int]:
    """Place an order of the member."""
    placed = service.place_order(
        current_member(),
        lines=[(line.sku, line.quantity) for line in json.lines],
        coupon_code=json.coupon_code,
        shipping_method=json.shipping_method,
        region=json.region or "",
        share_token=json.share_token,
        idempotency_key=headers.key,
    )
    view = schemas.Order.model_validate(placed.order)
    return schemas.PlacedOrder(**dict(view), share=placed.share), 201 if placed.is_new else 200


@bp.get("/orders")
@operation(tag="orders", summary=_("My orders"), answers={200: schemas.OrderPage})
def list_orders(query: schemas.OrderQuery) -> schemas.OrderPage:
    """Return a page of the member's orders."""
    mine = orders.orders_of(current_member().id)
    return schemas.OrderPage.of(
        mine.where(Order.state == query.state) if query.state else mine,
        number=query.page,
        views=lambda rows: map(schemas.Order.model_validate, rows),
    )


@bp.get("/orders/<order_id>")
@operation(
    tag="orders",
    summary=_("One of my orders"),
    answers={200: schemas.OrderWithRefunds},
    raises=(NotFound,),
)
def get_order(order_id: str) -> schemas.OrderWithRefunds:
    """Return an order with its refunds."""
    order = _own_order(order_id)
    return schemas.OrderWithRefunds(
        **dict(schemas.Order.model_validate(order)),
        refunds=[schemas.OrderRefund.model_validate(refund) for refund in refunds.refunds_of(order.id)],
        exchanges=[_exchange(made) for made in exchanges.exchanges_of(order.id)],
    )


@bp.post("/orders/<order_id>/pay")
@operation(
    tag="orders",
    summary=_("Pay an order"),
    description=_(
        "Returns the arguments of wx.requestPayment; asking again is safe. The order is paid when its state says so: "
        "what wx.requestPayment tells the mini-program is no proof."
    ),
    answers={200: schemas.PaymentParams},
    raises=(NotFound, flows.AlreadyPaid, flows.PaymentClosed, flows.PaymentRefused, PaymentsNotReady),
)
def pay_order(order_id: str) -> schemas.PaymentParams:
    """Start the payment of an order."""
    with unit_of_work():
        order = _own_order(order_id)
    try:
        return schemas.PaymentParams.model_validate(flows.start_payment(order.id))
    except ProviderError as error:
        raise TemporarilyUnavailable from error


@bp.post("/orders/<order_id>/confirm-receipt")
@operation(
    tag="orders",
    summary=_("Confirm that the goods arrived"),
    description=_("From here on the after-sale window of the commissions runs. Confirming again changes nothing."),
    answers={200: schemas.Order},
    raises=(NotFound, WrongOrderState),
)
def confirm_receipt(order_id: str) -> schemas.Order:
    """Record the receipt of an order."""
    order = orders.confirm_receipt(_own_order(order_id).id, member_id=current_member().id)
    return schemas.Order.model_validate(order)


def _exchange(made: OrderExchange) -> schemas.OrderExchange:
    names = ("line_id", "quantity", "returned_fen", "replacement_quantity", "replacement_fen", "new_order_id", "reason")
    values = {name: getattr(made, name) for name in (*names, "created_at")}
    sku = catalog.get_product(made.replacement_id).sku
    return schemas.OrderExchange.model_validate({**values, "replacement_sku": sku})


def _own_order(text: str) -> Order:
    """Return the member's order; somebody else's is as unknown as one that does not exist."""
    order_id = parse_id(text)
    if order_id is None:
        raise NotFound
    order = orders.get_order(order_id)
    if order.member_id != current_member().id:
        raise NotFound
    return order
