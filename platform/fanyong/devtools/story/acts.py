"""What each step does, through the doors of its brand; every act may be repeated after a fault."""

from __future__ import annotations

from datetime import timedelta

from fanyong.devtools.story import aftersale, joining, joining_steps, payout_steps, payouts, steps
from fanyong.devtools.story.console import Superadmin
from fanyong.devtools.story.doors import Refused
from fanyong.devtools.story.parts import BaseStep
from fanyong.devtools.story.stage import Placed, Stage
from fanyong.devtools.story.telling import yuan


def log_in(stage: Stage, key: str, *, via: str | None = None) -> None:
    """Log a member in; the first time through the share of whoever brought them."""
    member = stage.members[key]
    if via is None and not stage.shop.knows(key):
        via = member.via
    token = share_token(stage, via) if via is not None else None
    stage.shop.log_in(key, appid=stage.appid, nickname=member.nickname or key, share_token=token)


def share_token(stage: Stage, member: str, *, sku: str | None = None) -> str:
    """Return the token of a member's share; whoever shares has to log in before."""
    if not stage.shop.knows(member):
        log_in(stage, member)
    token: str = stage.shop.ask("POST", "/shares", member=member, json={"sku": sku} if sku else {})["token"]
    return token


def act(stage: Stage, step: BaseStep, *, name: str, key: str, superadmin: Superadmin) -> str:
    """Do what a step says and return it in words; `name` is for what has none, `key` makes repeating safe."""
    match step:
        case steps.Join():
            log_in(stage, step.member, via=step.via)
            return f"{step.member} joins" + (f" via {step.via}" if step.via else "")
        case steps.Share():
            token = share_token(stage, step.member, sku=step.sku)
            stage.shares[step.name or name] = token
            return f"{step.member} shares {step.sku or 'the shop'}"
        case steps.Order():
            return _order(stage, step, name=step.name or name, key=key)
        case steps.Pay():
            return _pay(stage, step)
        case steps.Ship():
            page = f"/console/orders/{stage.orders[step.order].id}"
            stage.console.submit(f"{page}/ship", {"tracking": ""}, page=page)
            return f"ship order {step.order}"
        case steps.Receive():
            order = stage.orders[step.order]
            stage.shop.ask("POST", f"/orders/{order.id}/confirm-receipt", member=order.buyer)
            return f"{order.buyer} receives order {step.order}"
        case steps.Refund() | steps.RecordRefund() | steps.Exchange():
            return aftersale.give_back(stage, step, name=name, key=key)
        case steps.Hold() | steps.LetGo() | steps.ReleaseEarly():
            return aftersale.hold_or_release(stage, step)
        case steps.Advance():
            stage.advance(step.total_seconds)
            return f"time passes: {_span(step)}"
        case steps.NextMonth():
            stage.advance(_until_next_month(stage, step.day))
            return f"the next month comes, to its day {step.day}"
        case steps.CloseMonth():
            month = step.month or stage.console.month_to_post()
            page = f"/console/rewards/{month}"
            # On a repetition an earlier try may have got through.
            stage.console.submit(f"{page}/post", {}, page=page, done_before=("wrong_run_state",))
            return f"the rewards of {month} are posted"
        case _ if isinstance(step, payout_steps.AnyPayoutStep):
            return payouts.pay_out(stage, step, name=name, key=key)
        case _ if isinstance(step, joining_steps.AnyJoiningStep):
            return joining.join_in(stage, step, key=key)
        case _:
            return _govern(stage, step, superadmin=superadmin)


def wait_for_effect(stage: Stage, step: BaseStep) -> None:
    """Wait until a step's effect is there, or raise Refused when there is none; the brand has come to rest."""
    match step:
        case steps.Pay():
            order = stage.orders[step.order]
            if step.is_lie:
                if stage.order(step.order)["state"] != "created":
                    raise Refused(
                        "paid_by_a_lie", f"order {step.order} counts as paid although WeChat told of something else"
                    )
            else:
                stage.wait_for(f"order {order.number} is paid", lambda: stage.order(step.order)["state"] != "created")
        case steps.Refund() | steps.Exchange():
            stage.wait_for(
                "the refund is settled", lambda: all(r["state"] != "open" for r in stage.order(step.order)["refunds"])
            )
            if any(r["state"] == "failed" for r in stage.order(step.order)["refunds"][-1:]):
                raise Refused("refund_failed", f"WeChat refused the refund of order {step.order}")
        case payout_steps.ConfirmTransfer():
            stage.wait_for("the transfer is paid", lambda: stage.withdrawal(step.withdrawal)["state"] == "paid")
        case payout_steps.ExpireTransfer():
            stage.wait_for("the transfer is over", lambda: stage.withdrawal(step.withdrawal)["state"] == "failed")


def _order(stage: Stage, step: steps.Order, *, name: str, key: str) -> str:
    share = step.via_share
    body = {
        "lines": [{"sku": line.sku, "quantity": line.quantity} for line in step.lines],
        "coupon_code": stage.coupon(step.coupon_fen),
        "shipping_method": stage.shipping(step.freight_fen),
        "region": step.region,
        "share_token": None if share is None else stage.shares.get(share) or share_token(stage, share),
    }
    given = {field: value for field, value in body.items() if value is not None}
    order = stage.shop.ask("POST", "/orders", member=step.member, key=key, json=given)
    stage.orders[name] = Placed(id=order["id"], number=order["number"], buyer=step.member, total_fen=order["total_fen"])
    return f"{step.member} orders {name}  {yuan(order['total_fen'])}"


def _pay(stage: Stage, step: steps.Pay) -> str:
    order = stage.orders[step.order]
    sheet = stage.shop.ask("POST", f"/orders/{order.id}/pay", member=order.buyer)
    prepay_id = str(sheet["package"]).partition("=")[2]
    payer = stage.shop.openids[step.payer] if step.payer else None
    stage.sandbox.pay(prepay_id, amount_fen=step.amount_fen, payer_openid=payer, times=step.times)
    return f"{order.buyer} pays order {step.order}  {yuan(step.amount_fen or order.total_fen)}"


def _govern(stage: Stage, step: BaseStep, *, superadmin: Superadmin) -> str:
    """Do what the brand's owner or the platform decides."""
    match step:
        case steps.Freeze() | steps.Unfreeze():
            page = f"/console/promoters/{stage.shop.ids[step.member]}"
            fields = {"reason": step.reason} if isinstance(step, steps.Freeze) else {}
            stage.console.submit(f"{page}/{step.do}", fields, page=page)
            return f"{step.do} {step.member}"
        case steps.AcceptNotice():
            stage.accept_notice(step.kind)
            return f"the notice about {step.kind} is accepted"
        case steps.Waiver():
            stage.waive(superadmin, step)
            what = f"{step.levels} levels" if step.kind == "levels" else step.kind
            return f"the platform allows {what} for {step.days} days"
        case steps.SetTiers() | steps.SetPlan():
            stage.choose(step.do.removeprefix("set_"), step, in_hours=step.in_hours)
            return f"the brand chooses {step.plugin}"
        case steps.SetSettlement():
            stage.settle_by(step)
            return f"the brand settles by {step.trigger}"
        case _:
            raise AssertionError(step)


def _until_next_month(stage: Stage, day: int) -> int:
    """Return how many seconds there are to noon of a day of the brand's next month."""
    now = stage.now()
    first = (now.replace(day=1) + timedelta(days=32)).replace(day=day, hour=12, minute=0, second=0, microsecond=0)
    return int((first - now).total_seconds())


def _span(step: steps.Advance) -> str:
    counts = {unit: getattr(step, unit) for unit in ("days", "hours", "minutes", "seconds")}
    return ", ".join(f"{n} {unit if n > 1 else unit[:-1]}" for unit, n in counts.items() if n)
