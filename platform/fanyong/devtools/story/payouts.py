"""How money leaves the books: withdrawals, what the bank does with a batch, tax, channels, debts."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from fanyong.devtools.story import payout_steps as steps
from fanyong.devtools.story.doors import Refused
from fanyong.devtools.story.stage import Asked, Batch, Stage, plain_yuan
from fanyong.devtools.story.telling import yuan

_BATCH_LINK = re.compile(r"/console/payouts/batches/[0-9a-f-]{32,36}")
#: The encoding of the bank's files, what it calls the columns that it reads and adds, and the outcomes, unless the
#: brand's settings say otherwise.
_BANK = {
    "encoding": "utf-8-sig",
    "number_column": "业务参考号",
    "amount_column": "金额",
    "state_column": "处理结果",
    "reason_column": "失败原因",
    "paid_word": "成功",
    "failed_word": "失败",
    "pending_word": "处理中",
    "returned_word": "退票",
}


def pay_out(stage: Stage, step: steps.AnyPayoutStep, *, name: str, key: str) -> str:
    """Do what a step says and return it in words; `name` is for what has none, `key` makes repeating safe."""
    match step:
        case steps.Withdraw():
            return _withdraw(stage, step, name=step.name or name, key=key)
        case steps.Approve() | steps.Reject():
            return _decide(stage, step)
        case steps.Review():
            return _act_on(stage, step, "release", {"note": step.reason})
        case steps.MarkPaid():
            return _act_on(stage, step, "paid", {"proof": step.proof})
        case steps.MarkFailed():
            return _act_on(stage, step, "failed", {"reason": step.reason})
        case steps.MarkReturned():
            return _act_on(stage, step, "returned", {"reason": step.reason, "proof": step.proof})
        case steps.ConfirmTransfer() | steps.ExpireTransfer():
            return _end_transfer(stage, step)
        case steps.SavePayee():
            path = f"/payout-channels/{step.channel}/payee"
            stage.shop.ask("POST", path, member=step.member, json={"fields": step.fields})
            return f"{step.member} is paid by {step.channel}"
        case steps.PayoutBatch():
            return _make_batch(stage, step, name=step.name or name)
        case steps.BankResults():
            return _read_results(stage, step)
        case _:
            return _rule(stage, step, key=key)


def _rule(stage: Stage, step: steps.AnyPayoutStep, *, key: str) -> str:
    """Do what the brand's owner decides about payouts."""
    match step:
        case steps.SetPayoutChannel():
            fields = {"plugin": step.plugin, "active": "yes" if step.active else ""} | _as_typed(step.settings)
            stage.console.submit("/console/payouts/channels", fields)
            stage.channels[step.plugin] = step.settings
            return f"the channel {step.plugin} is {'open' if step.active else 'switched off'}"
        case steps.SetTaxPolicy():
            parameters = json.dumps(step.parameters, ensure_ascii=False) if step.parameters else ""
            first = _first_of_month(stage, step.in_months)
            fields = {"method": step.method, "effective_from": first, "parameters": parameters, "note": ""}
            stage.console.submit("/console/payouts/tax", fields)
            return f"tax is withheld by {step.method} from {first} on"
        case steps.SetWithdrawalRules():
            stage.console.submit("/console/settings/withdrawal", _as_typed(step.settings), page="/console/settings")
            return f"withdrawals keep to {', '.join(step.settings)}"
        case steps.WriteOff():
            path = f"/console/debts/{stage.shop.ids[step.member]}/write-off"
            fields = {"amount": plain_yuan(step.amount_fen), "reason": step.reason, "idempotency_key": key}
            # A page that always has a form: its token is good for every form.
            stage.console.submit(path, fields, page="/console/payouts/channels", done_before=("no_debt",))
            return f"{yuan(step.amount_fen)} of the debt of {step.member} are written off"
        case _:
            raise AssertionError(step)


def _withdraw(stage: Stage, step: steps.Withdraw, *, name: str, key: str) -> str:
    body: dict[str, Any] = {"amount_fen": step.amount_fen}
    if step.real_name is not None:
        body["real_name"] = step.real_name
    if step.channel is not None:
        body["channel"] = step.channel
    made = stage.shop.ask("POST", "/withdrawals", member=step.member, key=key, json=body)
    stage.withdrawals[name] = Asked(id=made["id"], member=step.member, number=made["transfer_number"])
    return f"{step.member} asks for {yuan(step.amount_fen)} ({name})"


def _decide(stage: Stage, step: steps.Approve | steps.Reject) -> str:
    path = f"/console/withdrawals/{stage.withdrawals[step.withdrawal].id}/{step.do}"
    fields = {"reason": step.reason} if isinstance(step, steps.Reject) else {}
    # On a repetition the transfer may have come to its end already, and the decision is old news.
    stage.console.submit(path, fields, page="/console/withdrawals", done_before=("wrong_withdrawal_state",))
    return f"{step.do} withdrawal {step.withdrawal}"


def _act_on(stage: Stage, step: steps.WithdrawalStep, verb: str, fields: dict[str, str]) -> str:
    page = f"/console/withdrawals/{stage.withdrawals[step.withdrawal].id}"
    stage.console.submit(f"{page}/{verb}", fields, page=page, done_before=("wrong_withdrawal_state",))
    return f"{step.do.replace('_', ' ')}: withdrawal {step.withdrawal}"


def _end_transfer(stage: Stage, step: steps.ConfirmTransfer | steps.ExpireTransfer) -> str:
    asked = stage.withdrawals[step.withdrawal]
    if isinstance(step, steps.ConfirmTransfer):
        stage.sandbox.end_transfer(stage.mchid, asked.number, action="confirm")
        return f"{asked.member} confirms the transfer of {step.withdrawal}"
    stage.sandbox.end_transfer(stage.mchid, asked.number, action="expire")
    return f"the transfer of {step.withdrawal} expires"


def _make_batch(stage: Stage, step: steps.PayoutBatch, *, name: str) -> str:
    """Make a batch and fetch its file; on a repetition the newest batch is the one that was made."""
    pages = "/console/payouts/batches"
    stage.console.submit(pages, {"channel": step.channel}, done_before=("nothing_to_pay",))
    newest = _BATCH_LINK.search(stage.console.read(pages))
    if newest is None:
        raise Refused("not_found", "the console lists no batch")
    batch = stage.batches[name] = Batch(page=newest[0], settings=stage.channels[step.channel])
    payouts = len(_ordered(stage, batch))
    return f"batch {name} goes to the bank: {payouts} payout{'' if payouts == 1 else 's'}"


def _read_results(stage: Stage, step: steps.BankResults) -> str:
    """Play the bank: it answers for rows of the very file that it was given."""
    batch = stage.batches[step.batch]
    page, words = batch.page, _words_of(batch)
    ordered = {row[words["number_column"]]: row for row in _ordered(stage, batch)}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(words[f"{column}_column"] for column in ("number", "amount", "state", "reason"))
    for result in step.results:
        number = stage.withdrawals[result.withdrawal].number
        if number not in ordered:
            raise Refused("not_in_file", f"the bank's file has no payout for withdrawal {result.withdrawal}")
        amount = plain_yuan(result.amount_fen) if result.amount_fen else ordered[number][words["amount_column"]]
        writer.writerow((number, amount, words[f"{result.outcome}_word"], result.reason))
    files = {"results": ("results.csv", out.getvalue().encode(words["encoding"]), "text/csv")}
    stage.console.post(f"{page}/results", {}, page=page, files=files)
    told = ", ".join(f"{result.withdrawal} {result.outcome}" for result in step.results)
    return f"the bank answers for batch {step.batch}: {told}"


def _ordered(stage: Stage, batch: Batch) -> list[dict[str, str]]:
    """Return the rows of a batch's file as the bank reads them."""
    file = stage.console.post(f"{batch.page}/file", {}, page=batch.page).content
    return list(csv.DictReader(io.StringIO(file.decode(_words_of(batch)["encoding"]))))


def _words_of(batch: Batch) -> dict[str, str]:
    """Return what the bank of a batch calls things, and how its files are encoded."""
    return _BANK | {name: str(value) for name, value in batch.settings.items()}


def _as_typed(settings: dict[str, Any]) -> dict[str, str]:
    """Return settings as the fields of a form take them: fen as yuan, basis points as percent."""
    typed = {}
    for name, value in settings.items():
        in_hundredths = name.endswith(("_fen", "_bp")) and isinstance(value, int)
        typed[name] = plain_yuan(value) if in_hundredths else str(value)
    return typed


def _first_of_month(stage: Stage, months: int) -> str:
    """Return the first day of the brand's present month, or of one so many months later."""
    today = stage.now()
    at = today.year * 12 + today.month - 1 + months
    return f"{at // 12}-{at % 12 + 1:02d}-01"
