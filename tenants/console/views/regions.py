"""Region agents: who stands for which region, appointing one and ending it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.tenancy.clock import brand_now
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from fanyong.wechat.times import BEIJING
from tenants.console import labels
from tenants.console.base import bp, done, record, refused, typed
from tenants.console.views.promoters import promoter_page
from tenants.members.models import Member
from tenants.promoters import regions
from tenants.promoters.models import RegionAgent


@bp.get("/regions")
@requires(Permission.PROMOTERS_READ)
def region_agents() -> ResponseReturnValue:
    """List the agents by region."""
    ended = request.args.get("state") == "all"
    query = regions.agents(search=request.args.get("q", "").strip(), ended=ended)
    if wants_csv():
        return _csv(everything(query))
    return render_template(
        "console/regions.html",
        page=paginate(query),
        ended=ended,
        region_name=region_name,
        region_size=regions.size_of,
        now=brand_now(),
    )


@bp.post("/promoters/<uuid:member_id>/appoint")
@requires(Permission.PROMOTERS_APPOINT)
def appoint_agent(member_id: UUID) -> ResponseReturnValue:
    """Make a promoter the agent of a region, until the end of a day where one is given."""
    try:
        until = typed("until")
        ends_at = datetime.fromisoformat(until).replace(tzinfo=BEIJING) + timedelta(days=1) if until else None
    except ValueError:
        return promoter_page(member_id, appoint_problem=_("Please choose a day.")), 422
    try:
        agent = regions.appoint(member_id, region=typed("region"), actor=current_actor(), ends_at=ends_at)
    except FanyongError as error:
        return promoter_page(member_id, appoint_problem=refused(error)), error.status
    record("agent.appointed", member=member_id.hex, region=agent.region_code, until=until)
    message = _("The promoter is the agent of %(region)s now.", region=region_name(agent.region_code))
    return done(message, "console.promoter", member_id=member_id)


@bp.post("/regions/<uuid:agent_id>/end")
@requires(Permission.PROMOTERS_APPOINT)
def end_agent(agent_id: UUID) -> ResponseReturnValue:
    """End an appointment."""
    agent = regions.end(agent_id, actor=current_actor())
    record("agent.ended", member=agent.member_id.hex, region=agent.region_code)
    return done(_("The appointment has ended."), "console.region_agents")


def region_name(code: str) -> str:
    """Return a region for people: its code, with the province by name."""
    return f"{code} {regions.PROVINCES.get(code[:2], '')}".strip()


def _csv(rows: Sequence[tuple[RegionAgent, Member]]) -> ResponseReturnValue:
    header = (_("Region"), _("Size"), _("Nickname"), _("From"), _("Until"), _("Appointed by"))
    lines = (
        (
            agent.region_code,
            labels.label("region", regions.size_of(agent.region_code)),
            member.nickname,
            localtime(agent.starts_at),
            localtime(agent.ends_at) if agent.ends_at else "",
            agent.appointed_by,
        )
        for agent, member in rows
    )
    return csv_response("region-agents", header=header, rows=lines)
