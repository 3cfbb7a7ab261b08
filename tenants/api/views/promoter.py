"""The promoter centre."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.database import session
from tenants.api import words
from tenants.api.auth import current_member
from tenants.api.blueprint import bp
from tenants.api.operations import operation
from tenants.api.schemas import promoter as schemas
from tenants.api.schemas.common import PageQuery
from tenants.api.texts import mark as _
from tenants.commissions import service as commissions
from tenants.commissions.explain import award_sentence, withheld_sentence
from tenants.commissions.models import Award
from tenants.ledger import service as ledger
from tenants.ledger.models import PROMOTER_ACCOUNTS, AccountName, Posting, PostingKind
from tenants.orders.models import Order, OrderLine
from tenants.promoters import service as promoters
from tenants.settlement import service as settlement


@bp.get("/promoter")
@operation(tag="promoter", summary=_("My standing and money"), answers={200: schemas.Promoter})
def get_promoter() -> schemas.Promoter:
    """Return the member's figures."""
    member = current_member()
    promoter, figures = promoters.get_promoter(member.id), ledger.figures_of(member.id)
    tier = promoter.tier if promoter else None
    return schemas.Promoter(
        member_id=member.id,
        nickname=member.nickname,
        tier=tier,
        tier_name=next((str(known.name) for known in promoters.tiers_to_show() if known.key == tier), tier),
        frozen=bool(promoter and promoter.frozen_at),
        pending_fen=figures.pending_fen,
        **asdict(figures),
    )


@bp.get("/promoter/awards")
@operation(
    tag="promoter",
    summary=_("My commissions"),
    description=_("Each with its explanation: what a promoter reads and what was paid are the same row."),
    answers={200: schemas.AwardPage},
)
def list_awards(query: PageQuery) -> schemas.AwardPage:
    """Return a page of the member's awards."""
    return schemas.AwardPage.of(commissions.awards_of_member(current_member().id), number=query.page, views=_awards)


@bp.get("/promoter/statement")
@operation(
    tag="promoter",
    summary=_("Every movement of my money"),
    description=_("The changes of an account, added up over all pages, are its figure."),
    answers={200: schemas.StatementPage},
)
def list_statement(query: schemas.StatementQuery) -> schemas.StatementPage:
    """Return a page of the postings behind the member's figures."""
    owner_id = current_member().id
    return schemas.StatementPage.of(
        ledger.statement(owner_id, account=AccountName[query.account.upper()] if query.account else None),
        number=query.page,
        views=lambda rows: (_movement(row) for row in rows),
    )


def _awards(rows: Sequence[tuple[Award, str, int, datetime | None, datetime | None]]) -> Iterator[schemas.Award]:
    lines = _lines([award.line_id for award, *_course in rows])
    all_held = settlement.open_hold(member_id=current_member().id) is not None
    withheld = commissions.withheld_of_orders({award.order_id for award, *_course in rows})
    held_orders = settlement.held_orders({award.order_id for award, *_course in rows})
    for award, state, reversed_fen, due_at, released_at in rows:
        waits = state in ("estimated", "frozen", "held")
        # A reward of a month is of no order.
        line, order_number = lines.get(award.line_id, (None, None))
        yield schemas.Award.model_validate(
            {
                "id": award.id,
                "order_id": award.order_id if line else None,
                "order_number": order_number,
                "line_id": line.id if line else None,
                "position": line.position if line else None,
                "sku": line.sku if line else None,
                "product_name": line.name if line else None,
                "period": award.explanation.get("period"),
                "kind": award.kind,
                "level": award.level,
                "rule": award.rule,
                "base_fen": award.base_fen,
                "rate_bp": award.rate_bp,
                "amount_fen": award.amount_fen,
                "reversed_fen": reversed_fen,
                "state": state,
                "held": state == "held" or (waits and (all_held or award.order_id in held_orders)),
                "awarded_at": award.awarded_at,
                "due_at": due_at,
                "released_at": released_at,
                "explanation": {**award.explanation, "text": award_sentence(award.explanation)},
                "not_given": [_not_given(item, award.beneficiary_id) for item in withheld.get(award.line_id, ())],
            }
        )


def _not_given(item: Mapping[str, Any], reader_id: UUID) -> dict[str, object]:
    level, rule, reason = item["level"], item["rule"], item["reason"]
    return {
        "level": level,
        "rule": rule,
        "reason": reason,
        "text": withheld_sentence(reason, level=level, rule=rule),
        "mine": bool(item["beneficiary_id"]) and UUID(item["beneficiary_id"]) == reader_id,
    }


def _lines(line_ids: list[UUID]) -> dict[UUID, tuple[OrderLine, str]]:
    query = sa.select(OrderLine, Order.number).join(Order).where(OrderLine.id.in_(line_ids))
    return {line.id: (line, number) for line, number in session().execute(query)}


def _movement(posting: Posting) -> schemas.Movement:
    kind = PostingKind(posting.kind).word
    changes = [
        {"account": account.word, "change_fen": ledger.change_of(posting, account)}
        for account in PROMOTER_ACCOUNTS
        if account in (posting.debit, posting.credit)
    ]
    return schemas.Movement.model_validate(
        {
            "id": posting.position,
            "at": posting.posted_at,
            "kind": kind,
            "text": str(words.MOVEMENTS[kind]),
            "amount_fen": posting.amount_fen,
            "changes": changes,
            "source_id": posting.source_id,
        }
    )
