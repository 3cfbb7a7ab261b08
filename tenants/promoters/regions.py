"""Region agents: promoters who stand for a province, a city or a district of GB/T 2260."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError, NotFound
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.members.models import Member
from tenants.promoters.models import Promoter, RegionAgent

RegionSize = Literal["province", "city", "district"]
#: GB/T 2260, the first two digits: the provinces, autonomous regions, municipalities and special regions.
PROVINCES = {
    "11": "北京市",
    "12": "天津市",
    "13": "河北省",
    "14": "山西省",
    "15": "内蒙古自治区",
    "21": "辽宁省",
    "22": "吉林省",
    "23": "黑龙江省",
    "31": "上海市",
    "32": "江苏省",
    "33": "浙江省",
    "34": "安徽省",
    "35": "福建省",
    "36": "江西省",
    "37": "山东省",
    "41": "河南省",
    "42": "湖北省",
    "43": "湖南省",
    "44": "广东省",
    "45": "广西壮族自治区",
    "46": "海南省",
    "50": "重庆市",
    "51": "四川省",
    "52": "贵州省",
    "53": "云南省",
    "54": "西藏自治区",
    "61": "陕西省",
    "62": "甘肃省",
    "63": "青海省",
    "64": "宁夏回族自治区",
    "65": "新疆维吾尔自治区",
    "71": "台湾省",
    "81": "香港特别行政区",
    "82": "澳门特别行政区",
}
_CODE = re.compile(r"[0-9]{6}\Z")


class NoSuchRegion(FanyongError):
    code = "unknown_region"
    status = 422
    message = _l(
        "“%(region)s” is no region: six digits, like 310000 for a province, 320500 for a city, 320505 for a district."
    )


class NotAPromoter(FanyongError):
    code = "not_a_promoter"
    status = 422
    message = _l("Only a promoter can be an agent.")


class AgentAlready(FanyongError):
    code = "agent_already"
    status = 409
    message = _l("This promoter is the agent of this region already.")


class BadPeriod(FanyongError):
    code = "bad_period"
    status = 422
    message = _l("An appointment ends after it has begun.")


def size_of(region: str) -> RegionSize:
    """Return how large a region is, by the zeros at the end of its code."""
    if region.endswith("0000"):
        return "province"
    return "city" if region.endswith("00") else "district"


def containing(region: str) -> list[str]:
    """Return the codes of the regions that contain a region, itself included, the smallest first."""
    if not _CODE.match(region):
        return []
    return list(dict.fromkeys([region, f"{region[:4]}00", f"{region[:2]}0000"]))


def agents_for(region: str, *, at: datetime) -> dict[UUID, str]:
    """Return the promoters who are agents of a region at a moment with the code each stands for, the smallest first."""
    codes = containing(region)
    if not codes:
        return {}
    query = sa.select(RegionAgent.region_code, RegionAgent.member_id).where(
        RegionAgent.region_code.in_(codes), _is_open(at)
    )
    rows = session().execute(query.order_by(RegionAgent.starts_at, RegionAgent.id)).all()
    # A promoter may stand for a city and its district; each is named once, for the smaller.
    found: dict[UUID, str] = {}
    for code in codes:
        for row in rows:
            if row.region_code == code:
                found.setdefault(row.member_id, code)
    return found


def appoint(
    member_id: UUID, *, region: str, actor: str, starts_at: datetime | None = None, ends_at: datetime | None = None
) -> RegionAgent:
    """Make a promoter the agent of a region, from now on or from a moment, until somebody ends it or a moment comes.

    Raises NoSuchRegion, NotAPromoter, BadPeriod or AgentAlready.
    """
    if not _CODE.match(region) or region[:2] not in PROVINCES:
        raise NoSuchRegion(region=region)
    promoter = session().get(Promoter, member_id, with_for_update=True)
    if promoter is None or promoter.tier is None:
        raise NotAPromoter
    starts = starts_at or brand_now()
    if ends_at is not None and ends_at <= starts:
        raise BadPeriod
    same = sa.select(RegionAgent.id).where(RegionAgent.member_id == member_id, RegionAgent.region_code == region)
    overlaps = sa.or_(RegionAgent.ends_at.is_(None), RegionAgent.ends_at > starts)
    if ends_at is not None:
        overlaps = sa.and_(overlaps, RegionAgent.starts_at < ends_at)
    if session().scalar(same.where(overlaps).limit(1)) is not None:
        raise AgentAlready
    agent = RegionAgent(
        member_id=member_id, region_code=region, starts_at=starts, ends_at=ends_at, appointed_by=actor, ended_by=None
    )
    session().add(agent)
    session().flush()
    return agent


def end(agent_id: UUID, *, actor: str) -> RegionAgent:
    """End an appointment now; ending it again changes nothing. Raises NotFound."""
    agent = session().get(RegionAgent, agent_id, with_for_update=True, populate_existing=True)
    if agent is None:
        raise NotFound
    now = brand_now()
    if agent.ends_at is None or agent.ends_at > now:
        agent.ends_at, agent.ended_by = max(now, agent.starts_at), actor
    return agent


def agents(*, search: str = "", ended: bool = False) -> sa.Select[RegionAgent, Member]:
    """Return the query of agents with their members, by region, filtered by region code or nickname."""
    query = sa.select(RegionAgent, Member).join(Member).order_by(RegionAgent.region_code, RegionAgent.id)
    if not ended:
        query = query.where(sa.or_(RegionAgent.ends_at.is_(None), RegionAgent.ends_at > brand_now()))
    if search:
        nickname = Member.nickname.icontains(search, autoescape=True)
        query = query.where(sa.or_(RegionAgent.region_code.startswith(search, autoescape=True), nickname))
    return query


def _is_open(at: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(RegionAgent.starts_at <= at, sa.or_(RegionAgent.ends_at.is_(None), RegionAgent.ends_at > at))
