"""Products and their stock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError, NotFound
from fanyong.ids import new_id
from fanyong.tenancy.database import session
from tenants.catalog.models import Product

MAX_PRICE_FEN = 100_000_000
MAX_TAX_BP = 10_000
_SEARCHED = (Product.name, Product.sku, Product.category, Product.product_code)


class SkuTaken(FanyongError):
    code = "sku_taken"
    status = 409
    message = _l("Another product has the SKU “%(sku)s”.")


class OutOfStock(FanyongError):
    code = "out_of_stock"
    status = 409
    message = _l("“%(name)s” is sold out or there is not enough of it left.")


class BadProduct(FanyongError):
    code = "bad_product"
    status = 422
    message = _l(
        "A product needs a SKU, a name, a price above zero and a stock of zero or more; cost, tax and commission base "
        "cannot be negative."
    )


def products(*, search: str = "", on_sale_only: bool = False) -> sa.Select[Product]:
    """Return the query of products whose name, SKU or category contains `search`."""
    query = sa.select(Product).order_by(Product.id.desc())
    if on_sale_only:
        query = query.where(Product.on_sale)
    if search:
        query = query.where(sa.or_(*(field.icontains(search, autoescape=True) for field in _SEARCHED)))
    return query


def get_product(product_id: UUID) -> Product:
    """Return a product; raises NotFound."""
    product = session().get(Product, product_id)
    if product is None:
        raise NotFound
    return product


def by_sku(skus: list[str]) -> dict[str, Product]:
    """Return products by SKU; unknown ones are missing."""
    return {p.sku: p for p in session().scalars(sa.select(Product).where(Product.sku.in_(skus)))}


def all_by_sku() -> dict[str, Product]:
    """Return every product by its SKU."""
    return {product.sku: product for product in session().scalars(sa.select(Product))}


@dataclass(frozen=True, slots=True)
class Saved:
    """How many products were made, and how many changed."""

    made: int
    changed: int


def save_products(rows: Sequence[Mapping[str, Any]]) -> Saved:
    """Make or change products by SKU, each row with the values of `save_product`; all or none.

    Raises BadProduct, or SkuTaken when somebody else makes the same product meanwhile.
    """
    known = by_sku([row["sku"].strip() for row in rows])
    for row in rows:
        save_product(known.get(row["sku"].strip()), **row)
    return Saved(made=len(rows) - len(known), changed=len(known))


def save_product(
    product: Product | None,
    *,
    sku: str,
    name: str,
    price_fen: int,
    stock: int,
    category: str = "",
    description: str = "",
    on_sale: bool = True,
    product_code: str = "",
    cost_fen: int | None = None,
    tax_bp: int = 0,
    commission_base_fen: int | None = None,
) -> Product:
    """Make a product or change one; raises BadProduct or SkuTaken.

    `product_code` groups several SKUs for the plan and is the SKU where it is left empty. `cost_fen` and
    `commission_base_fen` are per piece.
    """
    if not sku.strip() or not name.strip() or not 0 < price_fen <= MAX_PRICE_FEN or stock < 0:
        raise BadProduct
    if min(cost_fen or 0, commission_base_fen or 0) < 0 or not 0 <= tax_bp <= MAX_TAX_BP:
        raise BadProduct
    if product is None:
        product = Product(id=new_id())
    product.sku, product.name, product.category = sku.strip(), name.strip(), category.strip()
    product.description, product.price_fen, product.stock, product.on_sale = (
        description,
        price_fen,
        stock,
        on_sale,
    )
    product.product_code = product_code.strip() or product.sku
    product.cost_fen, product.tax_bp, product.commission_base_fen = cost_fen, tax_bp, commission_base_fen
    session().add(product)
    try:
        with session().begin_nested():
            session().flush()
    except sa.exc.IntegrityError:
        raise SkuTaken(sku=sku) from None
    return product


def take_stock(quantities: Mapping[UUID, int]) -> None:
    """Take goods out of stock, all or nothing; raises OutOfStock.

    The check and the change are one statement a product, in the order of ids, so that two orders can neither
    oversell nor wait for each other in a circle.
    """
    for product_id in sorted(quantities):
        taken = (
            session()
            .execute(
                sa.update(Product)
                .where(Product.id == product_id, Product.stock >= quantities[product_id], Product.on_sale)
                .values(stock=Product.stock - quantities[product_id])
                .returning(Product.id)
                .execution_options(synchronize_session=False)
            )
            .first()
        )
        if taken is None:
            raise OutOfStock(name=get_product(product_id).name)


def return_stock(quantities: Mapping[UUID, int]) -> None:
    """Put goods back into stock."""
    for product_id in sorted(quantities):
        session().execute(
            sa.update(Product)
            .where(Product.id == product_id)
            .values(stock=Product.stock + quantities[product_id])
            .execution_options(synchronize_session=False)
        )
