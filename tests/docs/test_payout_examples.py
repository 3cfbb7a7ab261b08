"""The examples of docs/payouts.md come true: their numbers are given to the real functions."""

from __future__ import annotations

import inspect
from functools import partial

import pytest

from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind
from tenants.ledger.service import Entry, Release
from tenants.payouts import books, errors
from tenants.payouts.models import DebtWriteOff, TaxCorrection, Withdrawal
from tenants.payouts.rules import WithdrawalRules, fee_of
from tenants.payouts.screening import WORDS, ScreeningRules
from tenants.payouts.tax import Cumulative, LabourMonthly, PayeeYear, Taxed, first_month, labour_tax, surpluses, tax_of
from tests.docs import tables
from tests.docs.tables import fen, text_of

DOCUMENT = "payouts.md"
table = partial(tables.table, DOCUMENT)


def test_fees() -> None:
    for row in table("fee"):
        rules = WithdrawalRules(fee_fixed_fen=fen(row, "Fixed fen"), fee_bp=fen(row, "Share bp"))
        assert fee_of(rules, fen(row, "Gross fen")) == fen(row, "Fee fen")


def test_labour_remuneration() -> None:
    for row in table("labour"):
        parameters, gross = LabourMonthly(), fen(row, "Month's gross fen")
        assert labour_tax(parameters, gross) == fen(row, "Tax fen")
        low = max(0, gross - parameters.deduction_fen)
        high = gross * (10_000 - parameters.share_bp) // 10_000
        assert fen(row, "Taxable fen") == (low if gross <= parameters.share_from_fen else high)


def test_a_month_of_three_withdrawals() -> None:
    gross = withheld = 0
    for row in table("month"):
        part = fen(row, "Withdrawal fen")
        tax = tax_of(LabourMonthly(), PayeeYear({5: gross}, {5: withheld}), month=5, amount_fen=part)
        gross += part
        assert fen(row, "Month so far fen") == tax.period_gross_fen == gross
        assert fen(row, "Tax of the month fen") == tax.period_tax_fen
        assert fen(row, "Withheld before fen") == tax.withheld_before_fen == withheld
        assert fen(row, "Tax fen") == tax.tax_fen
        withheld += tax.tax_fen


def test_a_year_of_the_cumulative_method() -> None:
    gross: dict[int, int] = {}
    withheld: dict[int, int] = {}
    for row in table("cumulative"):
        month, part, year = fen(row, "Month"), fen(row, "Gross fen"), PayeeYear(dict(gross), dict(withheld))
        tax = tax_of(Cumulative(), year, month=month, amount_fen=part)
        assert fen(row, "Months") == month - first_month(Cumulative(), year, month=month) + 1
        assert fen(row, "Income so far fen") == tax.period_gross_fen
        assert fen(row, "Tax so far fen") == tax.period_tax_fen
        assert fen(row, "Withheld before fen") == tax.withheld_before_fen
        assert fen(row, "Tax fen") == tax.tax_fen
        gross[month], withheld[month] = part, tax.tax_fen


def test_a_withdrawal_that_comes_back_from_under_another() -> None:
    rows = table("correction")
    gross = withheld = 0
    for row in rows:
        told = tax_of(
            LabourMonthly(), PayeeYear({5: gross}, {5: withheld}), month=5, amount_fen=fen(row, "Withdrawal fen")
        )
        assert told.tax_fen == fen(row, "Tax told fen")
        gross, withheld = gross + fen(row, "Withdrawal fen"), withheld + told.tax_fen
    left = [row for row in rows if row["Ends"] == "paid"]
    year = [Taxed(LabourMonthly(), 5, fen(row, "Withdrawal fen"), fen(row, "Tax told fen"), True) for row in left]
    assert surpluses(year) == [fen(row, "Given back fen") for row in left]
    for row, one in zip(left, year, strict=True):
        assert fen(row, "Owed in the end fen") == one.withheld_fen - fen(row, "Given back fen")


def test_the_postings(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[tuple[str, str, str, int]] = []

    def note(kind: PostingKind, debit: AccountName, credit: AccountName, amount_fen: int) -> None:
        posted.append((kind.word, debit.word, credit.word, amount_fen))

    def post(entries: list[Entry]) -> None:
        for entry in entries:
            note(entry.kind, entry.debit, entry.credit, entry.amount_fen)

    def release(kind: PostingKind, releases: list[Release], *, out_of: AccountName) -> None:
        for one in releases:
            note(kind, out_of, AccountName.AVAILABLE, one.amount_fen)

    monkeypatch.setattr(ledger, "post", post)
    monkeypatch.setattr(ledger, "release_to_available", release)
    withdrawal = Withdrawal(amount_fen=1_000, net_fen=700, tax_fen=200, fee_fen=100)
    for step in (books.hold, books.pay, books.give_back, partial(books.undo_payout, corrected_fen=0)):
        step(withdrawal)
    books.give_tax_back(TaxCorrection(amount_fen=30))
    books.write_off(DebtWriteOff(amount_fen=50))
    amounts = {"gross": 1_000, "net": 700, "tax": 200, "fee": 100, "surplus": 30, "what is given up": 50}
    assert posted == [(row["Kind"], row["Debit"], row["Credit"], amounts[row["Amount"]]) for row in table("postings")]


def test_the_rules_against_money_laundering_have_these_defaults() -> None:
    rows, defaults = table("screening"), ScreeningRules()
    assert [row["Rule"] for row in rows] == list(WORDS)
    for row in rows:
        name, _, shown = row["Default"].replace("`", "").partition(" ")
        value = getattr(defaults, name)
        assert shown == ("-" if value is None else "on" if value is True else f"{value:,}")


def test_the_limits_have_these_defaults_and_codes() -> None:
    text, rules = text_of(DOCUMENT), WithdrawalRules()
    for label, value in [
        ("smallest amount", rules.minimum_fen),
        ("largest amount", rules.maximum_fen),
        ("a promoter's amount a day", rules.payee_day_fen),
        ("all promoters' amount a day", rules.brand_day_fen),
        ("real name from", rules.real_name_from_fen),
        ("two people from", rules.two_people_from_fen),
    ]:
        assert f"| {label} | {value // 100:,}.{value % 100:02d} |" in text
    assert f"| a promoter's withdrawals a day | {rules.payee_day_count} |" in text
    codes = {error.code for _name, error in inspect.getmembers(errors, inspect.isclass) if hasattr(error, "code")}
    named = {row.strip("` ") for row in text.split("## 2")[0].replace("`", "\n").splitlines() if "_" in row}
    assert {name for name in named if name.startswith(("withdrawal_", "payee_day", "brand_", "not_", "real_"))} <= codes
