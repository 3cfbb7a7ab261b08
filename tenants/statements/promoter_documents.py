"""A promoter's month as an accountant files it: on paper (PDF) and for spreadsheets (CSV)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fanyong.tenancy.months import Span, month_span
from fanyong.web.filters import localtime
from fanyong.web.money import hundredths
from fanyong.web.pdf import Column, Document, Table
from fanyong.web.words import _
from tenants.statements.documents import Preparation, Rows, facts, plain
from tenants.statements.postings import Reference
from tenants.statements.promoter import MAX_PRINTED, Balances, Line, PromoterStatement, StatementTooLong
from tenants.statements.words import MOVEMENTS

_AMOUNT = 62


def promoter_document(statement: PromoterStatement, made: Preparation) -> Document:
    """Return a promoter's month on paper; raises StatementTooLong for one that takes a hundred pages."""
    if len(statement.lines) > MAX_PRINTED:
        raise StatementTooLong
    shown = _shown_balances(statement)
    columns = [
        Column(_("Time"), 82),
        Column(_("What"), 128),
        Column(_("Number"), 104),
        Column(_("Amount"), _AMOUNT, "right"),
        Column(_("Change"), _AMOUNT, "right"),
        *(Column(title, _AMOUNT, "right") for title, _read in shown),
    ]
    opening = ("", _("Opening balance"), "", "", "", *(plain(read(statement.opening)) for _title, read in shown))
    closing = ("", _("Closing balance"), "", "", "", *(plain(read(statement.closing)) for _title, read in shown))
    movements = Table(
        columns,
        [opening, *(_promoter_row(line, statement, shown) for line in statement.lines)],
        title=_("Movements"),
        totals=[closing],
        note=_("Change is what a movement adds to the balance; a dash: the money only moved on within it."),
    )
    return Document(
        title=_("Statement of commissions"),
        subtitle=f"{statement.nickname} · {statement.month}",
        facts=[
            *facts(made, _span(statement.month), is_over=statement.is_over),
            (_("Member"), statement.member_id.hex),
        ],
        tables=[_promoter_totals(statement), movements],
        footer=f"{made.brand} · {statement.nickname} · {statement.month}",
        is_landscape=True,
    )


def promoter_csv(statement: PromoterStatement) -> tuple[Sequence[str], Rows]:
    """Return a promoter's month for a spreadsheet: header and rows, with the balances after each movement."""
    header = (
        _("Position"),
        _("Time"),
        _("What"),
        _("Number"),
        _("Amount"),
        _("Change"),
        _("Not yet released"),
        _("Available"),
        _("In transfer"),
        _("Debt"),
        _("Balance"),
    )
    return header, _promoter_csv_rows(statement)


def number_of(reference: Reference | None) -> str:
    """Return the number of what a movement is about, as people write it down."""
    if reference is None:
        return ""
    if reference.more:
        return _("%(number)s and %(count)d more", number=reference.number, count=reference.more)
    return _("%(number)s (refund)", number=reference.number) if reference.kind == "refund" else reference.number


def _span(month: str) -> Span:
    span = month_span(month)
    assert span is not None
    return span


def _shown_balances(statement: PromoterStatement) -> list[tuple[str, Callable[[Balances], int]]]:
    """Return the balances worth a column: what is zero all month long has none, the balance itself always has."""
    moments = [statement.opening, *(line.after for line in statement.lines)]
    parts: list[tuple[str, Callable[[Balances], int]]] = [
        (_("Not yet released"), lambda b: b.pending_fen),
        (_("Available"), lambda b: b.available_fen),
        (_("In transfer"), lambda b: b.in_transfer_fen),
        (_("Debt"), lambda b: b.debt_fen),
    ]
    shown = [(title, read) for title, read in parts if any(read(balances) for balances in moments)]
    return [*shown, (_("Balance"), lambda b: b.balance_fen)]


def _promoter_row(
    line: Line, statement: PromoterStatement, shown: Sequence[tuple[str, Callable[[Balances], int]]]
) -> Sequence[str]:
    return (
        localtime(line.at, seconds=True),
        str(MOVEMENTS[line.kind]),
        number_of(statement.references.get(line.source_id)),
        plain(line.amount_fen),
        plain(line.change_fen) if line.change_fen else "–",
        *(plain(read(line.after)) for _title, read in shown),
    )


def _promoter_totals(statement: PromoterStatement) -> Table:
    rows = [(_("Opening balance"), plain(statement.opening.balance_fen))]
    rows += [(str(MOVEMENTS[kind]), plain(fen)) for kind, fen in statement.totals.items()]
    return Table(
        [Column("", 300), Column(_("Amount"), 80, "right")],
        rows,
        title=_("Summary"),
        totals=[(_("Closing balance"), plain(statement.closing.balance_fen))],
    )


def _promoter_csv_rows(statement: PromoterStatement) -> Rows:
    yield ("", "", _("Opening balance"), "", "", "", *_csv_balances(statement.opening))
    for line in statement.lines:
        yield (
            line.position,
            localtime(line.at, seconds=True),
            str(MOVEMENTS[line.kind]),
            number_of(statement.references.get(line.source_id)),
            hundredths(line.amount_fen),
            hundredths(line.change_fen),
            *_csv_balances(line.after),
        )
    yield ("", "", _("Closing balance"), "", "", "", *_csv_balances(statement.closing))


def _csv_balances(b: Balances) -> Sequence[str]:
    return tuple(map(hundredths, (b.pending_fen, b.available_fen, b.in_transfer_fen, b.debt_fen, b.balance_fen)))
