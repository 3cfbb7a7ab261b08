"""The bugs that are planted: where, what stands there, what is put instead, and which selection has to notice.

This table alone knows how the money code is written. `test_mutants.py` fails when a row no longer fits.
"""

from __future__ import annotations

from dataclasses import dataclass

_ENGINE, _CAPS, _ROUNDING = (f"tenants/commissions/{name}.py" for name in ("engine", "caps", "rounding"))
_AWARDING, _HOLDING = "tenants/commissions/awarding.py", "tenants/commissions/holding.py"
_RELEASING, _REVERSING = "tenants/commissions/releasing.py", "tenants/commissions/reversing.py"
_PROCESSING, _LEDGER = "tenants/commissions/processing.py", "tenants/ledger/service.py"
_PAYMENTS, _FLOWS = "platform/fanyong/payments/service.py", "platform/fanyong/payments/flows.py"
_WITHDRAWALS, _QUOTING = "tenants/payouts/service.py", "tenants/payouts/quoting.py"
_SETTLING, _TAX = "tenants/payouts/settling.py", "tenants/payouts/tax.py"
_ORDERS, _REFUNDS = "tenants/orders/service.py", "tenants/orders/refunds.py"
_CLOCK = "platform/fanyong/tenancy/clock.py"


def _tests(*names: str) -> tuple[str, ...]:
    """Return the selection of some tests."""
    return ("pytest", *(f"tests/{name}" for name in names))


def _trials(count: int, *names: str) -> tuple[str, ...]:
    """Return the selection of a few fault trials."""
    return ("tests.faults", "--trials", str(count), "--seed", "1", "--class", *names)


@dataclass(frozen=True)
class Mutant:
    """One bug: `old` stands once in `file`, `new` is what it becomes."""

    name: str
    file: str
    old: str
    new: str
    found_by: tuple[str, ...]

    def planted_in(self, text: str) -> str:
        """Return the file's text with the bug in it; raises ValueError where it does not fit."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} stands {text.count(self.old)} times in {self.file}")
        return text.replace(self.old, self.new)


_RULES = _tests("money/test_rules.py")

_ALL = (
    Mutant(
        "rounds instead of flooring",
        _ENGINE,
        "proposal.base_fen * proposal.rate_bp // FULL_BP",
        "(proposal.base_fen * proposal.rate_bp + FULL_BP // 2) // FULL_BP",
        _RULES,
    ),
    Mutant(
        "rounds each refund by itself",
        _ROUNDING,
        "return amount_fen * refunded_fen // paid_fen if paid_fen else 0",
        "return -(-amount_fen * refunded_fen // paid_fen) if paid_fen else 0",
        _RULES,
    ),
    Mutant(
        "gives the rest of a split to the first",
        _ROUNDING,
        "by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % weight), i))",
        "by_remainder = list(range(len(weights)))",
        _RULES,
    ),
    Mutant(
        "ignores the cap of a line",
        _CAPS,
        "return line.paid_fen if caps.line_bp is None else",
        "return line.paid_fen * 9 if caps.line_bp is None else",
        _RULES,
    ),
    Mutant(
        "pays a frozen promoter",
        _ENGINE,
        '    if person.frozen:\n        return "frozen"\n',
        "",
        _RULES,
    ),
    Mutant(
        "pays one level too many",
        _ENGINE,
        "if proposal.level > facts.levels_allowed and",
        "if proposal.level > facts.levels_allowed + 1 and",
        _RULES,
    ),
    Mutant(
        "ignores what was refunded before",
        _REVERSING,
        "amount = target - place.reversed_fen",
        "amount = target",
        _tests("money/test_races.py::test_two_refunds_of_the_last_piece_at_once"),
    ),
    Mutant(
        "takes back more than is available",
        _LEDGER,
        "held = stored_balance(owner_id, AccountName.AVAILABLE)",
        "held = amount_fen",
        _trials(8, "callback-never"),
    ),
    Mutant(
        "makes a debt of what is available",
        _LEDGER,
        "held = stored_balance(owner_id, AccountName.AVAILABLE)",
        "held = 0",
        _trials(8, "callback-never"),
    ),
    Mutant(
        "forgets a debt when money comes",
        _LEDGER,
        "repaid = min(owed.setdefault(owner_id, debt_fen), amount_fen)",
        "repaid = 0",
        _tests("money/test_provider_trouble.py::test_money_that_comes_back_repays_the_debt_first"),
    ),
    Mutant(
        "awards past the limits over several orders",
        _AWARDING,
        "        new = _within_limits(_without_awards(computed, known))\n",
        "        new = _without_awards(computed, known)\n",
        _tests("periods/test_spending.py"),
    ),
    Mutant(
        "posts without the books lock",
        _LEDGER,
        '_LOCK = "SELECT pg_advisory_xact_lock(2, hashtext(current_schema()))"',
        '_LOCK = "SELECT 1"',
        _tests("money/test_races.py::test_one_withdrawal_asked_for_ten_times_at_once"),
    ),
    Mutant(
        "releases before the time",
        _RELEASING,
        "        ReleaseBucket.due_at <= now,\n",
        "",
        _tests("money/test_holding.py::test_a_release_takes_what_is_due_alone"),
    ),
    Mutant(
        "releases what is held",
        _HOLDING,
        "    if change > 0 and holds == change:\n        _take_out(order_id, due_at)\n    elif",
        "    if",
        _trials(10, "callback-never"),
    ),
    Mutant(
        "asks today's plan about yesterday's order",
        _PROCESSING,
        "return awarding.compute(PaidOrder(work.order_id, work.plan_version_id, work.facts))",
        "from tenants.commissions.service import current_plan_version_id\n\n"
        "    return awarding.compute(PaidOrder(work.order_id, current_plan_version_id(), work.facts))",
        _tests("money/test_attribution.py"),
    ),
    Mutant(
        "forgets what could not be worked off",
        _PROCESSING,
        "            _put_back(portion)\n",
        "",
        _tests("pluginhost/test_containment.py"),
    ),
    Mutant(
        "believes any amount",
        _PAYMENTS,
        "if fact.amount_fen != intent.amount_fen or",
        "if",
        _trials(4, "callback-forged"),
    ),
    Mutant(
        "believes any merchant",
        "platform/fanyong/wechat/callbacks.py",
        '    if (resource.get("mchid") or resource.get("mch_id")) != credentials.mchid:',
        '    if not (resource.get("mchid") or resource.get("mch_id")):',
        _trials(4, "callback-forged"),
    ),
    Mutant(
        "lets a transfer end twice",
        _PAYMENTS,
        '    if transfer.state in FINAL_TRANSFER_STATES:\n        return "already"\n',
        "",
        _tests("money/test_races.py::test_approve_and_reject_at_once"),
    ),
    Mutant(
        "takes a new number when it tries again",
        _FLOWS,
        "        number=transfer.out_bill_no,\n        openid",
        "        number=transfer.out_bill_no[:-1] + str(transfer.try_count),\n        openid",
        _trials(6, "provider-lost-answer"),
    ),
    Mutant(
        "counts an unheard transfer as failed",
        _FLOWS,
        "    except ProviderError as error:\n        _postpone(Transfer, transfer.id, problem=error.code)\n",
        "    except ProviderError as error:\n        with unit_of_work():\n"
        "            service.fail_transfer(transfer.out_bill_no, problem=error.code)\n",
        _trials(6, "provider-lost-answer"),
    ),
    Mutant(
        "repeats a transfer without asking",
        _FLOWS,
        "    if transfer.try_count > 1:\n",
        "    if transfer.try_count > 99:\n",
        _tests(
            "money/test_provider_trouble.py::test_a_transfer_whose_answer_was_lost_is_asked_about_before_it_is_repeated"
        ),
    ),
    Mutant(
        "forgets which withdrawals were asked for",
        _WITHDRAWALS,
        "    withdrawal.idempotency_key, withdrawal.device_id = idempotency_key, device_id",
        "    withdrawal.idempotency_key, withdrawal.device_id = withdrawal.id.hex, device_id",
        _tests("money/test_races.py::test_one_withdrawal_asked_for_ten_times_at_once"),
    ),
    Mutant(
        "lets a debtor withdraw",
        _QUOTING,
        "    if debt:\n        return errors.WithdrawalBlockedByDebt",
        "    if debt < 0:\n        return errors.WithdrawalBlockedByDebt",
        _tests("money/test_provider_trouble.py::test_money_that_comes_back_repays_the_debt_first"),
    ),
    Mutant(
        "keeps the money of a failed transfer",
        _SETTLING,
        "    books.give_back(withdrawal)\n",
        "",
        _tests("money/test_races.py::test_approve_and_reject_at_once"),
    ),
    Mutant(
        "taxes each withdrawal by itself",
        _TAX,
        "gross = year.gross_fen.get(month, 0) + amount_fen",
        "gross = amount_fen",
        _tests("payouts/test_tax.py"),
    ),
    Mutant(
        "keeps a failed refund's hold",
        _REFUNDS,
        "    order.refunded_fen -= record.amount_fen\n    commissions.hold_release(order.id, change=-1)\n",
        "    order.refunded_fen -= record.amount_fen\n",
        _tests("money/test_provider_trouble.py::test_a_refused_refund_gives_the_pieces_back"),
    ),
    Mutant(
        "keeps what came for a closed order",
        _ORDERS,
        '        payments.create_refund(intent, amount_fen=intent.amount_fen, reason="order closed before payment")\n',
        "",
        _tests("money/test_provider_trouble.py::test_a_payment_after_the_close_is_given_back"),
    ),
    Mutant(
        "goes by its own clock",
        _CLOCK,
        "    return now - datetime.now(UTC)",
        "    return (now - now) + timedelta(0)",
        _trials(2, "clock-skew"),
    ),
)
MUTANTS: dict[str, Mutant] = {mutant.name.replace(" ", "-").replace("'", ""): mutant for mutant in _ALL}
