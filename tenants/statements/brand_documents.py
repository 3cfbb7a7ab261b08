"""A brand's trial balance and month as an accountant files them: on paper (PDF) and for spreadsheets (CSV)."""

from __future__ import annotations

from collections.abc import Sequence

from fanyong.web.money import hundredths
from fanyong.web.pdf import Column, Document, Table
from fanyong.web.words import _
from tenants.statements.brand import BrandMonth, ExpenseRow, TrialBalance, TrialRow
from tenants.statements.documents import Preparation, Rows, facts, plain
from tenants.statements.words import AWARD_KINDS, MOVEMENTS


def trial_document(balance: TrialBalance, made: Preparation) -> Document:
    """Return a trial balance on paper."""
    return Document(
        title=_("Trial balance"),
        subtitle=f"{made.brand} · {balance.span}",
        facts=facts(made, balance.span, is_over=True),
        tables=[_trial_table(balance)],
        footer=f"{made.brand} · {_('Trial balance')} · {balance.span}",
        is_landscape=True,
    )


def trial_csv(balance: TrialBalance) -> tuple[Sequence[str], Rows]:
    """Return a trial balance for a spreadsheet: header and rows, the totals last."""
    header = (_("Code"), "科目", "Account", *_trial_titles())
    rows = [
        (r.account.code, r.account.chinese, r.account.english, *map(hundredths, _trial_amounts([r])))
        for r in balance.rows
    ]
    return header, iter([*rows, ("", "合计", "Total", *map(hundredths, _trial_amounts(balance.rows)))])


def brand_document(month: BrandMonth, made: Preparation) -> Document:
    """Return a brand's month on paper."""
    movements = Table(
        [Column(_("What"), 260), Column(_("Number"), 80, "right"), Column(_("Amount"), 100, "right")],
        [(str(MOVEMENTS[m.kind]), f"{m.count:,}", plain(m.amount_fen)) for m in month.movements],
        title=_("Movements of the month"),
    )
    owed = Table(
        [Column("", 260), Column(_("Amount"), 100, "right")],
        [],
        totals=[(_("Owed to promoters at the end of the month"), plain(month.liabilities_fen))],
    )
    return Document(
        title=_("Commission statement of the month"),
        subtitle=f"{made.brand} · {month.month}",
        facts=facts(made, month.balance.span, is_over=month.is_over),
        tables=[_expense_table(month.expenses), movements, _trial_table(month.balance), owed],
        footer=f"{made.brand} · {month.month}",
        is_landscape=True,
    )


def brand_csv(month: BrandMonth) -> tuple[Sequence[str], Rows]:
    """Return a brand's month for a spreadsheet: one line a figure."""
    header = (_("Section"), _("Item"), _("Kind"), _("Number"), _("Amount"))
    return header, _brand_csv_rows(month)


def award_kind(kind: str) -> str:
    """Return the words for a kind of award; postings without an award are corrections."""
    return str(AWARD_KINDS.get(kind, kind)) if kind else _("without an award")


def plan_name(row: ExpenseRow) -> str:
    """Return what a plan version is called on statements."""
    return _("Plan %(version)s", version=row.plan) if row.plan else _("no plan")


def _trial_table(balance: TrialBalance) -> Table:
    return Table(
        [
            Column(_("Code"), 44),
            Column("科目", 140),
            Column("Account", 180),
            *(Column(title, 68, "right") for title in _trial_titles()),
        ],
        [
            (r.account.code, r.account.chinese, r.account.english, *map(plain, _trial_amounts([r])))
            for r in balance.rows
        ],
        title=_("Accounts"),
        totals=[("", "合计", "Total", *map(plain, _trial_amounts(balance.rows)))],
        note=_("Debits equal credits in each pair of columns, so that all balances together are zero.")
        if balance.is_balanced
        else _("The accounts do not add up: please check the books."),
    )


def _trial_titles() -> tuple[str, ...]:
    return (
        _("Opening debit"),
        _("Opening credit"),
        _("Debit"),
        _("Credit"),
        _("Closing debit"),
        _("Closing credit"),
    )


def _trial_amounts(rows: Sequence[TrialRow]) -> tuple[int, ...]:
    """Return the six amounts of accounts together: each balance on its side, then added up."""
    return tuple(
        sum(amounts)
        for amounts in (
            [max(row.opening_fen, 0) for row in rows],
            [max(-row.opening_fen, 0) for row in rows],
            [row.debit_fen for row in rows],
            [row.credit_fen for row in rows],
            [max(row.closing_fen, 0) for row in rows],
            [max(-row.closing_fen, 0) for row in rows],
        )
    )


def _expense_table(expenses: Sequence[ExpenseRow]) -> Table:
    rows = [
        (
            plan_name(row),
            award_kind(row.kind),
            f"{row.count:,}",
            plain(row.awarded_fen),
            plain(row.reversed_fen),
            plain(row.net_fen),
        )
        for row in expenses
    ]
    sums = (
        sum(r.awarded_fen for r in expenses),
        sum(r.reversed_fen for r in expenses),
        sum(r.net_fen for r in expenses),
    )
    return Table(
        [
            Column(_("Plan version"), 200),
            Column(_("Kind"), 140),
            Column(_("Commissions"), 80, "right"),
            Column(_("Awarded"), 80, "right"),
            Column(_("Taken back"), 80, "right"),
            Column(_("Net expense"), 80, "right"),
        ],
        rows,
        title=_("Commission expense"),
        totals=[(_("Total"), "", f"{sum(r.count for r in expenses):,}", *map(plain, sums))],
    )


def _brand_csv_rows(month: BrandMonth) -> Rows:
    for row in month.expenses:
        kind = award_kind(row.kind)
        yield (
            _("Commission expense"),
            plan_name(row),
            f"{kind} · {_('Awarded')}",
            row.count,
            hundredths(row.awarded_fen),
        )
        yield (
            _("Commission expense"),
            plan_name(row),
            f"{kind} · {_('Taken back')}",
            "",
            hundredths(-row.reversed_fen),
        )
    for movement in month.movements:
        amount = hundredths(movement.amount_fen)
        yield (_("Movements of the month"), str(MOVEMENTS[movement.kind]), "", movement.count, amount)
    for account in month.balance.rows:
        names = f"{account.account.chinese} {account.account.english}"
        yield (_("Balance at the end"), account.account.code, names, "", hundredths(account.closing_fen))
    owed = hundredths(month.liabilities_fen)
    yield (_("Balance at the end"), _("Owed to promoters at the end of the month"), "", "", owed)
