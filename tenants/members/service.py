"""Members and their relations: a forest without cycles, ancestors always the parent's with the parent in front."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.members.models import Member, MemberBinding

#: The advisory lock (first key) of a brand's relation tree; the second key is the brand's schema.
_TREE_LOCK = 1


def register(openid: str, *, nickname: str) -> tuple[Member, bool]:
    """Return the member with this openid and whether it is new; two first log-ins at once make one member."""
    inserted = session().scalar(
        insert(Member)
        .values(id=new_id(), openid=openid, nickname=nickname, ancestors=[], joined_at=brand_now())
        .on_conflict_do_nothing(index_elements=[Member.openid])
        .returning(Member.id)
    )
    member = session().scalars(sa.select(Member).where(Member.openid == openid)).one()
    return member, inserted is not None


def get_member(member_id: UUID) -> Member | None:
    """Return a member, or None."""
    return session().get(Member, member_id)


def get_members(ids: Iterable[UUID]) -> dict[UUID, Member]:
    """Return members by id."""
    wanted = list(ids)
    return {m.id: m for m in session().scalars(sa.select(Member).where(Member.id.in_(wanted)))} if wanted else {}


def bind(member_id: UUID, *, parent_id: UUID, source: str) -> bool:
    """Put a member without an upline under `parent_id`; False when it has one, is the parent, or a cycle would form.

    The tree's lock comes before the check, because two bindings that each look right alone can close a circle
    together; members who have an upline already, the common case, never take it.
    """
    if member_id == parent_id or session().scalars(_fresh(member_id)).one().parent_id is not None:
        return False
    _lock_tree()
    member = session().scalars(_fresh(member_id).with_for_update()).one()
    parent = session().scalars(_fresh(parent_id)).one_or_none()
    if member.parent_id is not None or parent is None or member_id in parent.ancestors:
        return False
    member.parent_id, member.ancestors = parent.id, [parent.id, *parent.ancestors]
    _extend_downline(member_id, tail=member.ancestors)
    session().add(MemberBinding(member_id=member_id, parent_id=parent.id, source=source, bound_at=brand_now()))
    session().flush()
    return True


def _lock_tree() -> None:
    session().execute(sa.select(sa.func.pg_advisory_xact_lock(_TREE_LOCK, sa.func.hashtext(sa.func.current_schema()))))


def _fresh(member_id: UUID) -> sa.Select[Member]:
    return sa.select(Member).where(Member.id == member_id).execution_options(populate_existing=True)


def _extend_downline(member_id: UUID, *, tail: list[UUID]) -> None:
    """Append the new ancestors to everybody below the member."""
    session().execute(
        sa.update(Member)
        .where(Member.ancestors.contains([member_id]))
        .values(ancestors=Member.ancestors.op("||")(sa.cast(tail, Member.ancestors.type)))
        .execution_options(synchronize_session=False)
    )
