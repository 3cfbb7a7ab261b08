"""Statements: the lines behind every figure, trial balances, and months of promoters and of the brand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from fanyong.errors import InvalidRequest
from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.ids import parse_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.months import Span, month_span
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.money import hundredths
from fanyong.web.paging import PER_PAGE, Page, everything, page_number, paginate
from fanyong.web.pdf import pdf_response
from fanyong.web.words import _
from tenants.console import labels
from tenants.console.base import asked_day, bp
from tenants.ledger.models import AccountName, Posting, PostingKind
from tenants.members import service as members
from tenants.members.models import Member
from tenants.statements import brand, brand_documents, promoter, promoter_documents
from tenants.statements import postings as lines
from tenants.statements.chart import BY_NAME, CHART
from tenants.statements.documents import Preparation
from tenants.statements.postings import Filter
from tenants.statements.words import AWARD_KINDS, MOVEMENTS

SIDES: dict[str, Literal["debit", "credit"]] = {"debit": "debit", "credit": "credit"}


@bp.get("/books/postings")
@requires(Permission.LEDGER_READ)
def postings() -> ResponseReturnValue:
    """List the postings behind a figure."""
    wanted = _filter()
    query = lines.postings(wanted)
    if wants_csv():
        return _postings_csv(everything(query))
    page = paginate(query)
    return render_template(
        "console/postings.html",
        page=page,
        references=lines.references(posting.source_id for posting, _member in page.items),
        wanted=wanted,
        sums=lines.sums(wanted),
        owner=members.get_member(wanted.owner_id) if wanted.owner_id else None,
        chart=CHART,
        movements=MOVEMENTS,
        words={account.name: account.name.word for account in CHART},
        kinds={kind.word: text for kind, text in MOVEMENTS.items()},
    )


@bp.get("/books/trial-balance")
@requires(Permission.LEDGER_READ)
def trial_balance() -> ResponseReturnValue:
    """Show every account over some days: what stood there, what moved, what stands there."""
    span = _span_asked() or _this_month()
    balance = brand.trial_balance(span)
    if wants_csv():
        header, rows = brand_documents.trial_csv(balance)
        return csv_response(f"trial-balance-{span.last}", header=header, rows=rows)
    if request.args.get("format") == "pdf":
        return pdf_response(f"trial-balance-{span.last}", brand_documents.trial_document(balance, _made()))
    return render_template("console/trial_balance.html", balance=balance, day_before=span.first - timedelta(days=1))


@bp.get("/statements")
@requires(Permission.LEDGER_READ)
def brand_month() -> ResponseReturnValue:
    """Show a month of the brand: commissions by plan version and kind, what moved, what is owed."""
    months = brand.months()
    month = brand.brand_month(request.args.get("month") or months[0])
    if wants_csv():
        header, rows = brand_documents.brand_csv(month)
        return csv_response(f"commissions-{month.month}", header=header, rows=rows)
    if request.args.get("format") == "pdf":
        return pdf_response(f"commissions-{month.month}", brand_documents.brand_document(month, _made()))
    return render_template(
        "console/brand_month.html",
        month=month,
        months=months,
        movements=MOVEMENTS,
        plan_name=brand_documents.plan_name,
        award_kind=brand_documents.award_kind,
    )


@bp.get("/promoters/<uuid:member_id>/statement")
@requires(Permission.PROMOTERS_READ)
def promoter_statement(member_id: UUID) -> ResponseReturnValue:
    """Show a promoter's month with every movement and the balances after it."""
    months = promoter.months_of(member_id)
    month = request.args.get("month") or next(iter(months), promoter.month_now())
    statement = promoter.statement_of(member_id, month)
    name = f"statement-{member_id.hex[-8:]}-{month}"
    if wants_csv():
        header, rows = promoter_documents.promoter_csv(statement)
        return csv_response(name, header=header, rows=rows)
    if request.args.get("format") == "pdf":
        return pdf_response(name, promoter_documents.promoter_document(statement, _made()))
    # A month that there is no statement of was refused above.
    span = month_span(month) or _this_month()
    return render_template(
        "console/promoter_statement.html",
        statement=statement,
        span=span,
        day_before=span.first - timedelta(days=1),
        page=_page_of(statement.lines),
        months=months or [month],
        movements=MOVEMENTS,
        number_of=promoter_documents.number_of,
    )


def _made() -> Preparation:
    return Preparation(brand=current_tenant().name, by=current_user.account.name, at=brand_now())


def _page_of(items: Sequence[promoter.Line]) -> Page[promoter.Line]:
    number = min(page_number(), max(1, -(-len(items) // PER_PAGE)))
    return Page(items[(number - 1) * PER_PAGE : number * PER_PAGE], number, len(items))


def _filter() -> Filter:
    asked = request.args
    account, kind = asked.get("account", "").upper(), asked.get("kind", "").upper()
    award_kind = asked.get("award_kind", "")
    return Filter(
        account=AccountName[account] if account in AccountName.__members__ else None,
        side=SIDES.get(asked.get("side", "")),
        kind=PostingKind[kind] if kind in PostingKind.__members__ else None,
        owner_id=parse_id(asked.get("owner", "")),
        plan_version_id=parse_id(asked.get("plan", "")),
        award_kind=award_kind if award_kind in AWARD_KINDS else None,
        span=_span_asked(open_start=True),
    )


def _span_asked(*, open_start: bool = False) -> Span | None:
    """Return the days that were asked for: a month, or from a first day to a last one; one end may be missing."""
    month = month_span(request.args.get("month", ""))
    first, last = asked_day("first"), asked_day("last")
    if month is not None or (first is None and last is None):
        return month
    last = last or max(brand.today(), first or brand.today())
    first = first or (date(2000, 1, 1) if open_start else last.replace(day=1))
    if first > last:
        raise InvalidRequest
    return Span(first, last)


def _this_month() -> Span:
    today = brand.today()
    return Span(today.replace(day=1), today)


def _postings_csv(rows: Sequence[tuple[Posting, Member | None]]) -> ResponseReturnValue:
    references = lines.references(posting.source_id for posting, _member in rows)
    header = (
        _("Position"),
        _("Time"),
        _("What"),
        _("Debit code"),
        _("Debit"),
        _("Credit code"),
        _("Credit"),
        _("Member"),
        _("Nickname"),
        _("Number"),
        _("Amount"),
    )
    table = (
        (
            posting.position,
            localtime(posting.posted_at, seconds=True),
            str(MOVEMENTS[PostingKind(posting.kind)]),
            *_account_cells(posting.debit),
            *_account_cells(posting.credit),
            posting.owner_id.hex,
            member.nickname if member else "",
            promoter_documents.number_of(references.get(posting.source_id)),
            hundredths(posting.amount_fen),
        )
        for posting, member in rows
    )
    return csv_response("postings", header=header, rows=table)


def _account_cells(number: int) -> tuple[str, str]:
    account = BY_NAME[AccountName(number)]
    return account.code, labels.label("account", account.name.word)
