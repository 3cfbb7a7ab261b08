"""The team of a member, and what it sold."""

from __future__ import annotations

from tenants.api.auth import current_member
from tenants.api.blueprint import bp
from tenants.api.operations import operation
from tenants.api.schemas import team as schemas
from tenants.api.texts import mark as _
from tenants.promoters import team


@bp.get("/promoter/team")
@operation(tag="promoter", summary=_("My team"), answers={200: schemas.TeamPage})
def list_team(query: schemas.TeamQuery) -> schemas.TeamPage:
    """Return a page of those who came through the member's shares, or through theirs."""
    me = current_member().id
    total = team.size(me, level=query.level, search=query.search)
    skipped = (query.page - 1) * team.PAGE
    page = team.team_page(me, level=query.level, search=query.search, after=query.after, offset=skipped)
    return schemas.TeamPage(
        items=[schemas.TeamMember.model_validate(item) for item in page.items],
        page=query.page,
        pages=max(1, -(-total // team.PAGE)),
        total=total,
        after=page.after,
    )


@bp.get("/promoter/team/totals")
@operation(tag="promoter", summary=_("How large my team is, and what it sold"), answers={200: schemas.TeamTotals})
def get_team_totals() -> schemas.TeamTotals:
    """Return the totals of the member's team."""
    return schemas.TeamTotals.model_validate(team.team_totals(current_member().id))
