"""Products, shipping and share links."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tenants.api.schemas.common import Answer, Body, Fen, Page, PageQuery, Sku, Text
from tenants.api.texts import mark as _


class ProductQuery(PageQuery):
    """Which products."""

    q: Annotated[Text, Field(max_length=100)] = Field(
        default="", examples=["茶"], description=_("Part of the name, the SKU or the category.")
    )


class Product(Answer):
    """A product on sale."""

    sku: Sku
    name: str = Field(examples=["茉莉花茶 100 克"])
    category: str = Field(examples=["花茶"])
    description: str = Field(examples=["今年的新茶。"])
    price_fen: Fen
    stock: int = Field(examples=[42])


class ProductPage(Page[Product]):
    """Products on sale, newest first."""


class ShippingMethod(Answer):
    """A way of shipping."""

    code: str = Field(examples=["EXPRESS"])
    name: str = Field(examples=["快递"])
    fee_fen: Fen = Field(examples=[800])


class ShippingMethods(Answer):
    """All ways of shipping, the cheapest first."""

    items: list[ShippingMethod]


class MakeShare(Body):
    """What to share."""

    sku: Annotated[Text, Field(max_length=200)] | None = Field(
        default=None, examples=["TEA-100"], description=_("null shares the whole shop.")
    )


class Share(Answer):
    """A share link of one's own."""

    token: str = Field(
        examples=["7kQ2mXw9ZbT4cRdA"], description=_("Short enough for the scene of a mini-program code.")
    )
    path: str = Field(
        examples=["pages/product/index?sku=TEA-100&share=7kQ2mXw9ZbT4cRdA"],
        description=_("The mini-program page to share."),
    )


class SharedBy(Answer):
    """Who shared."""

    nickname: str = Field(examples=["乔木"])


class SharedThing(Answer):
    """What a share link leads to."""

    token: str = Field(examples=["7kQ2mXw9ZbT4cRdA"])
    shared_by: SharedBy
    product: Product | None = Field(description=_("null when the whole shop was shared, or the product left the shop."))
