"""What an order comes to before it is placed: lines, discounts and who bears which part of them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from tenants.catalog import service as catalog
from tenants.catalog.models import Product
from tenants.commissions.rounding import allocate
from tenants.members.models import Member
from tenants.orders.errors import EmptyOrder, NothingToPay, UnknownProduct, UnknownRegion
from tenants.orders.models import Order, OrderLine
from tenants.orders.own_purchases import discounts_bp
from tenants.promotions import service as promotions
from tenants.shipping import service as shipping

PAY_WITHIN = timedelta(minutes=30)
MAX_LINES = 100
MAX_QUANTITY = 9_999
_REGION = re.compile(r"[1-9][0-9]{5}\Z")


def draft(
    member: Member,
    *,
    lines: Sequence[tuple[str, int]],
    coupon_code: str | None = None,
    shipping_code: str | None = None,
    region: str = "",
    credit_fen: int = 0,
    pay_within: timedelta = PAY_WITHIN,
) -> Order:
    """Return an order of (SKU, quantity) lines that is not written yet.

    What is taken off, in this order: the discount on a promoter's own purchase (by line, rounded down), the coupon,
    and the credit of an exchange; each of the last two is spread over what is left of the lines by largest remainder.
    Raises EmptyOrder, UnknownProduct, UnknownRegion, CouponNotUsable, UnknownShippingMethod or NothingToPay.
    """
    products = _products(lines)
    if region and not _REGION.match(region):
        raise UnknownRegion(region=region)
    placed = [_line(position, products[sku], quantity=n) for position, (sku, n) in enumerate(lines)]
    values = [line.paid_fen for line in placed]
    for line, rate_bp in zip(placed, discounts_bp(member.id, placed), strict=True):
        line.self_discount_bp = rate_bp
        _take_off(line, line.paid_fen * rate_bp // 10_000)
    self_discount_fen = sum(line.discount_fen for line in placed)
    coupon_fen = promotions.discount(coupon_code, goods_fen=sum(values) - self_discount_fen)
    for line, part_fen in _spread(coupon_fen, placed):
        _take_off(line, part_fen)
    for line, part_fen in _spread(credit_fen, placed):
        _pay_with_goods(line, part_fen)
    freight_fen = shipping.fee(shipping_code)
    total_fen = sum(line.paid_fen for line in placed) + freight_fen
    if total_fen < 1:
        raise NothingToPay
    now = brand_now()
    return Order(
        id=new_id(),
        number=_number(now),
        member_id=member.id,
        state="created",
        goods_fen=sum(values),
        self_discount_fen=self_discount_fen,
        coupon_fen=coupon_fen,
        exchange_credit_fen=credit_fen,
        freight_fen=freight_fen,
        total_fen=total_fen,
        region=region,
        created_at=now,
        expires_at=now + pay_within,
        lines=placed,
    )


def _products(lines: Sequence[tuple[str, int]]) -> Mapping[str, Product]:
    skus = [sku for sku, _ in lines]
    if not lines or len(lines) > MAX_LINES or len(set(skus)) < len(skus):
        raise EmptyOrder
    if any(not 1 <= quantity <= MAX_QUANTITY for _, quantity in lines):
        raise EmptyOrder
    products = catalog.by_sku(skus)
    for sku in skus:
        if sku not in products or not products[sku].on_sale:
            raise UnknownProduct(sku=sku)
    return products


def _line(position: int, product: Product, *, quantity: int) -> OrderLine:
    return OrderLine(
        id=new_id(),
        position=position,
        product_id=product.id,
        sku=product.sku,
        name=product.name,
        category=product.category,
        product_code=product.product_code,
        cost_fen=None if product.cost_fen is None else product.cost_fen * quantity,
        tax_bp=product.tax_bp,
        commission_base_fen=product.commission_base_fen,
        unit_price_fen=product.price_fen,
        quantity=quantity,
        discount_fen=0,
        exchanged_fen=0,
        self_discount_bp=0,
        paid_fen=product.price_fen * quantity,
    )


def _spread(amount_fen: int, lines: Sequence[OrderLine]) -> list[tuple[OrderLine, int]]:
    parts = allocate(amount_fen, [line.paid_fen for line in lines]) if amount_fen else [0] * len(lines)
    return list(zip(lines, parts, strict=True))


def _take_off(line: OrderLine, amount_fen: int) -> None:
    line.discount_fen += amount_fen
    line.paid_fen -= amount_fen


def _pay_with_goods(line: OrderLine, amount_fen: int) -> None:
    """Take off what goods given in exchange are worth, and the same share of what commissions may be taken of.

    The rest of the price earned its commissions with the order that the goods came from. The base is rounded down and
    the cost up: what is cut off stays with the brand.
    """
    full_fen = line.paid_fen
    _take_off(line, amount_fen)
    line.exchanged_fen = amount_fen
    if not amount_fen:
        return
    if line.cost_fen is not None:
        line.cost_fen = -(-line.cost_fen * line.paid_fen // full_fen)
    if line.commission_base_fen is not None:
        line.commission_base_fen = line.commission_base_fen * line.paid_fen // full_fen


def _number(now: datetime) -> str:
    return f"{now:%y%m%d}{secrets.randbelow(10**10):010d}"
