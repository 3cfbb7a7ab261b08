"""Sharing, and binding whoever came through a share to the one who shared."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from fanyong.errors import FanyongError
from fanyong.ids import new_token
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.members import service as members
from tenants.referrals.models import Share


class UnknownShare(FanyongError):
    code = "unknown_share"
    status = 404
    message = _l("This share link is not known here.")


def share(member_id: UUID, *, product_id: UUID | None = None) -> Share:
    """Return the member's share of a product, or of the whole shop; sharing again returns the same token."""
    session().execute(
        insert(Share)
        .values(token=new_token(), member_id=member_id, product_id=product_id, created_at=brand_now())
        .on_conflict_do_nothing(index_elements=[Share.member_id, Share.product_id])
    )
    same_product = Share.product_id == product_id if product_id else Share.product_id.is_(None)
    return session().scalars(sa.select(Share).where(Share.member_id == member_id, same_product)).one()


def get_share(token: str) -> Share:
    """Return a share by its token; raises UnknownShare."""
    found = session().get(Share, token)
    if found is None:
        raise UnknownShare
    return found


def arrive(member_id: UUID, *, token: str) -> bool:
    """Bind a member who came through a share to the one who shared: first touch, and never their own link.

    Returns whether a binding was made. Raises UnknownShare.
    """
    return members.bind(member_id, parent_id=get_share(token).member_id, source=f"share:{token}")
