"""Promoters: who they are, what they earned, and who brought whom."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError, NotFound
from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.tenancy.database import session
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.commissions import service as commissions
from tenants.commissions.explain import award_sentence
from tenants.console import labels
from tenants.console.base import bp, done, record, refused, typed
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind
from tenants.ledger.service import FIGURE_NAMES
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders.models import Order
from tenants.promoters import regions, standing, team, words
from tenants.promoters import service as promoters_service
from tenants.promoters.models import Promoter, RegionAgent

VIEWS = ("statement", "awards", "team", "tiers")
_UUID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")


@bp.get("/promoters")
@requires(Permission.PROMOTERS_READ)
def promoters() -> ResponseReturnValue:
    """List the promoters with their figures."""
    names, tier = tier_names(), request.args.get("state", "")
    tier = tier if tier in names else ""
    query = promoters_service.promoters(search=request.args.get("q", "").strip(), tier=tier)
    if wants_csv():
        return _csv(everything(query))
    page = paginate(query)
    return render_template(
        "console/promoters.html",
        page=page,
        figures=ledger.figures([member.id for _promoter, member in page.items]),
        parents=_parents([member for _promoter, member in page.items]),
        tier_names=names,
        tier=tier,
    )


@bp.get("/promoters/<uuid:member_id>")
@requires(Permission.PROMOTERS_READ)
def promoter(member_id: UUID) -> ResponseReturnValue:
    """Show one promoter."""
    return promoter_page(member_id)


@bp.post("/promoters/<uuid:member_id>/freeze")
@requires(Permission.PROMOTERS_FREEZE)
def freeze_promoter(member_id: UUID) -> ResponseReturnValue:
    """Stop a promoter from earning and withdrawing."""
    _find(member_id)
    try:
        promoters_service.freeze(member_id, reason=typed("reason"))
    except FanyongError as error:
        return promoter_page(member_id, problem=refused(error)), error.status
    record("promoter.frozen", member=member_id.hex, reason=typed("reason"))
    return done(_("The promoter is frozen."), "console.promoter", member_id=member_id)


@bp.post("/promoters/<uuid:member_id>/unfreeze")
@requires(Permission.PROMOTERS_FREEZE)
def unfreeze_promoter(member_id: UUID) -> ResponseReturnValue:
    """Let a frozen promoter earn and withdraw again."""
    _find(member_id)
    promoters_service.unfreeze(member_id)
    record("promoter.unfrozen", member=member_id.hex)
    return done(_("The promoter can earn and withdraw again."), "console.promoter", member_id=member_id)


def tier_names() -> dict[str, str]:
    """Return what the present tiers are called."""
    return {tier.key: tier.name for tier in promoters_service.tiers_to_show()}


def _find(member_id: UUID) -> tuple[Promoter, Member]:
    found, member = promoters_service.get_promoter(member_id), members.get_member(member_id)
    if found is None or member is None:
        raise NotFound
    return found, member


def promoter_page(member_id: UUID, *, problem: str = "", appoint_problem: str = "") -> str:
    """Return the page of one promoter, with what is wrong with a form on it."""
    found, member = _find(member_id)
    view = request.args.get("view", "")
    view = view if view in VIEWS else VIEWS[0]
    account = request.args.get("account", "")
    account = account if f"{account}_fen" in FIGURE_NAMES else ""
    return render_template(
        "console/promoter.html",
        promoter=found,
        member=member,
        figures=ledger.figures_of(member_id),
        accounts=[name.removesuffix("_fen") for name in FIGURE_NAMES],
        account=account,
        view=view,
        views=VIEWS,
        page=_list(view, member_id, account),
        upline=_upline(member),
        totals=team.team_totals(member_id),
        team_level=_team_level(),
        next_tier=standing.next_tier(found),
        condition_text=words.condition_text,
        figure_text=words.figure_text,
        is_money=words.is_money,
        regions=promoter_regions(member_id),
        tier_names=tier_names(),
        reason_text=words.reason_text,
        problem=problem,
        appoint_problem=appoint_problem,
        award_sentence=award_sentence,
        account_word=lambda number: AccountName(number).word,
        kind_word=lambda number: PostingKind(number).word,
        orders_of=_orders_of,
        figures_for=ledger.figures,
    )


def _list(view: str, member_id: UUID, account: str) -> object:
    if view == "statement":
        return paginate(ledger.statement(member_id, account=ledger.account_of_figure(f"{account}_fen")))
    if view == "awards":
        return paginate(commissions.awards_of_member(member_id))
    if view == "team":
        level, after = _team_level(), request.args.get("after", "")
        return team.team_page(
            member_id,
            level=int(level) if level.isdigit() else None,
            deeper=level == "deeper",
            search=request.args.get("q", "").strip(),
            after=UUID(after) if _UUID.fullmatch(after) else None,
        )
    return promoters_service.tier_history(member_id)


def _team_level() -> str:
    level = request.args.get("level", "")
    return level if level in ("1", "2", "3", "deeper") else ""


def promoter_regions(member_id: UUID) -> list[RegionAgent]:
    """Return the regions that a promoter stands for now."""
    query = regions.agents().where(RegionAgent.member_id == member_id)
    return [agent for agent, _member in session().execute(query)]


def _upline(member: Member) -> list[Member]:
    known = members.get_members(member.ancestors)
    return [known[ancestor] for ancestor in member.ancestors if ancestor in known]


def _orders_of(order_ids: Sequence[UUID]) -> dict[UUID, Order]:
    found = session().scalars(sa.select(Order).where(Order.id.in_(list(order_ids))))
    return {order.id: order for order in found}


def _parents(found: Sequence[Member]) -> dict[UUID, Member]:
    return members.get_members({member.parent_id for member in found if member.parent_id})


def _csv(rows: Sequence[tuple[Promoter, Member]]) -> ResponseReturnValue:
    figures = ledger.figures([member.id for _promoter, member in rows])
    parents, names = _parents([member for _promoter, member in rows]), tier_names()
    accounts = [name.removesuffix("_fen") for name in FIGURE_NAMES]
    header = (
        _("Member"),
        _("Nickname"),
        _("Tier"),
        _("Brought by"),
        _("Joined at"),
        _("Frozen"),
        _("Own purchases"),
        _("Shared sales"),
        *(labels.label("account", account) for account in accounts),
    )
    lines = (
        (
            member.id.hex,
            member.nickname,
            names.get(promoter.tier or "", promoter.tier or ""),
            parents[member.parent_id].nickname if member.parent_id else "",
            localtime(member.joined_at),
            promoter.frozen_reason or "",
            hundredths(promoter.own_paid_fen),
            hundredths(promoter.shared_paid_fen),
            *(hundredths(getattr(figures[member.id], name)) for name in FIGURE_NAMES),
        )
        for promoter, member in rows
    )
    return csv_response("promoters", header=header, rows=lines)
