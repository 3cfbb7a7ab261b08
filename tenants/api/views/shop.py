"""Products, shipping methods and share links."""

from __future__ import annotations

from urllib.parse import urlencode

from fanyong.errors import NotFound
from fanyong.tenancy.database import session
from tenants.api.auth import current_member
from tenants.api.blueprint import bp
from tenants.api.operations import operation
from tenants.api.schemas import shop as schemas
from tenants.api.texts import mark as _
from tenants.catalog import service as catalog
from tenants.catalog.models import Product
from tenants.members import service as members
from tenants.orders.errors import UnknownProduct
from tenants.referrals import service as referrals
from tenants.referrals.service import UnknownShare
from tenants.shipping import service as shipping


@bp.get("/products")
@operation(tag="shop", summary=_("Products on sale"), answers={200: schemas.ProductPage}, member=False)
def list_products(query: schemas.ProductQuery) -> schemas.ProductPage:
    """Return a page of products."""
    return schemas.ProductPage.of(
        catalog.products(search=query.q.strip(), on_sale_only=True),
        number=query.page,
        views=lambda rows: map(schemas.Product.model_validate, rows),
    )


@bp.get("/products/<path:sku>")
@operation(tag="shop", summary=_("One product"), answers={200: schemas.Product}, raises=(NotFound,), member=False)
def get_product(sku: str) -> schemas.Product:
    """Return a product on sale."""
    product = _on_sale(sku)
    if product is None:
        raise NotFound
    return schemas.Product.model_validate(product)


@bp.get("/shipping-methods")
@operation(tag="shop", summary=_("Ways of shipping"), answers={200: schemas.ShippingMethods}, member=False)
def list_shipping_methods() -> schemas.ShippingMethods:
    """Return the shipping methods an order can choose from."""
    rows = session().scalars(shipping.methods(active_only=True))
    return schemas.ShippingMethods(items=[schemas.ShippingMethod.model_validate(row) for row in rows])


@bp.post("/shares")
@operation(
    tag="shop",
    summary=_("Share a product or the shop"),
    description=_("Sharing the same thing again returns the same link."),
    answers={200: schemas.Share},
    raises=(UnknownProduct,),
)
def make_share(json: schemas.MakeShare) -> schemas.Share:
    """Return the member's share link."""
    product = None
    if json.sku is not None:
        product = _on_sale(json.sku)
        if product is None:
            raise UnknownProduct(sku=json.sku)
    share = referrals.share(current_member().id, product_id=product.id if product else None)
    if product is None:
        path = "pages/index/index?" + urlencode({"share": share.token})
    else:
        path = "pages/product/index?" + urlencode({"sku": product.sku, "share": share.token})
    return schemas.Share(token=share.token, path=path)


@bp.get("/shares/<token>")
@operation(
    tag="shop",
    summary=_("What a share link leads to"),
    answers={200: schemas.SharedThing},
    raises=(UnknownShare,),
    member=False,
)
def get_share(token: str) -> schemas.SharedThing:
    """Return who shared what."""
    share = referrals.get_share(token)
    sharer = members.get_member(share.member_id)
    if sharer is None:
        raise UnknownShare
    product = catalog.get_product(share.product_id) if share.product_id else None
    return schemas.SharedThing(
        token=share.token,
        shared_by=schemas.SharedBy(nickname=sharer.nickname),
        product=schemas.Product.model_validate(product) if product and product.on_sale else None,
    )


def _on_sale(sku: str) -> Product | None:
    product = catalog.by_sku([sku]).get(sku)
    return product if product and product.on_sale else None
