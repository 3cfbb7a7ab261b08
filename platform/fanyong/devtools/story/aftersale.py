"""What happens to an order after it was paid: refunds, refunds that happened elsewhere, exchanges, holds."""

from __future__ import annotations

from typing import Any

from fanyong.devtools.story import steps
from fanyong.devtools.story.doors import Refused
from fanyong.devtools.story.stage import Placed, Stage, plain_yuan


def give_back(stage: Stage, step: steps.Refund | steps.RecordRefund | steps.Exchange, *, name: str, key: str) -> str:
    """Refund or exchange and say so; `name` is for an order over the difference, `key` makes repeating safe."""
    match step:
        case steps.Refund():
            return _refund(stage, step, key=key)
        case steps.RecordRefund():
            return _record_refund(stage, step, key=key)
        case steps.Exchange():
            return _exchange(stage, step, name=name, key=key)


def hold_or_release(stage: Stage, step: steps.Hold | steps.LetGo | steps.ReleaseEarly) -> str:
    """Hold commissions back, let them go, or release them early."""
    fields = {"reason": step.reason}
    if isinstance(step, steps.ReleaseEarly):
        page = f"/console/orders/{stage.orders[step.order].id}"
        stage.console.submit(f"{page}/release-early", fields, page=page)
        return f"the commissions of order {step.order} are due now"
    if step.order is not None:
        page, whose = f"/console/orders/{stage.orders[step.order].id}", f"of order {step.order}"
    else:
        page, whose = f"/console/promoters/{stage.shop.ids[step.member or '']}", f"of {step.member}"
    # On a repetition an earlier try may have got through.
    if isinstance(step, steps.Hold):
        stage.console.submit(f"{page}/hold", fields, page=page, done_before=("already_held",))
        return f"the commissions {whose} are held"
    stage.console.submit(f"{page}/let-go", fields, page=page, done_before=("not_held",))
    return f"the commissions {whose} are let go"


def _refund(stage: Stage, step: steps.Refund, *, key: str) -> str:
    lines = stage.order(step.order)["lines"]
    left = {line["position"]: line["quantity"] - line["refunded_quantity"] for line in lines}
    pieces, amounts = left, dict[int, int]()
    if step.lines is not None:
        pieces = {}
        for line in step.lines:
            position = _position(lines, line)
            wanted = line.quantity if line.quantity is not None or line.amount_fen else left[position]
            pieces[position], amounts[position] = wanted or 0, line.amount_fen or 0
    fields = {f"quantity-{_hex(line['id'])}": str(pieces.get(line["position"], 0)) for line in lines}
    fields |= {f"amount-{_hex(line['id'])}": plain_yuan(amounts.get(line["position"], 0)) for line in lines}
    fields |= {"idempotency_key": key, "reason": step.reason, "freight": plain_yuan(step.freight_fen)}
    page = f"/console/orders/{stage.orders[step.order].id}"
    stage.console.submit(f"{page}/refund", fields, page=page)
    return f"refund of order {step.order}"


def _record_refund(stage: Stage, step: steps.RecordRefund, *, key: str) -> str:
    lines = stage.order(step.order)["lines"]
    amounts = {_position(lines, line): line.amount_fen for line in step.lines}
    fields = {f"amount-{_hex(line['id'])}": plain_yuan(amounts.get(line["position"], 0)) for line in lines}
    fields |= {"idempotency_key": key, "reason": step.reason, "freight": plain_yuan(step.freight_fen)}
    fields |= {"number": step.number or ""}
    page = f"/console/orders/{stage.orders[step.order].id}"
    stage.console.submit(f"{page}/record-refund", fields, page=page)
    return f"a refund of order {step.order} that happened already"


def _exchange(stage: Stage, step: steps.Exchange, *, name: str, key: str) -> str:
    placed = stage.orders[step.order]
    lines = stage.order(step.order)["lines"]
    fields = {
        "line": next(_hex(line["id"]) for line in lines if line["sku"] == step.sku),
        "quantity": str(step.quantity),
        "sku": step.for_sku,
        "replacement_quantity": str(step.for_quantity),
        "reason": step.reason,
        "idempotency_key": key,
    }
    page = f"/console/orders/{placed.id}"
    stage.console.submit(f"{page}/exchange", fields, page=page)
    made = stage.order(step.order)["exchanges"][-1]
    told = f"exchange of {step.sku} of order {step.order} for {step.for_sku}"
    if made["new_order_id"] is None:
        if step.name is not None:
            raise Refused(
                "no_difference_to_pay", f"the replacement is not worth more, so there is no order {step.name}"
            )
        return told
    new = stage.shop.ask("GET", f"/orders/{made['new_order_id']}", member=placed.buyer)
    stage.orders[step.name or name] = Placed(
        id=new["id"], number=new["number"], buyer=placed.buyer, total_fen=new["total_fen"]
    )
    return f"{told}; order {step.name or name} collects the difference"


def _position(lines: list[dict[str, Any]], named: steps.LineOfOrder) -> int:
    if named.sku is None:
        return named.line or 0
    return next(int(line["position"]) for line in lines if line["sku"] == named.sku)


def _hex(identifier: str) -> str:
    return identifier.replace("-", "")
