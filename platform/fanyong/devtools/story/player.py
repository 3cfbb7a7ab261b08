"""Playing a story: each step once, in order, through the public doors."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from fanyong.devtools.story import steps
from fanyong.devtools.story.console import Superadmin
from fanyong.devtools.story.doors import Place, Refused
from fanyong.devtools.story.expectations import Unmet, check
from fanyong.devtools.story.format import Story
from fanyong.devtools.story.sandbox import Sandbox
from fanyong.devtools.story.stage import Asked, Placed, Stage, open_stage
from fanyong.devtools.story.telling import moves, reasons, yuan

Say = Callable[[str], None]


class StepFailed(Exception):
    """A step was refused although nothing in the story expects that."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


class Player:
    """Plays one story; `stages` holds its brands by key."""

    def __init__(self, story: Story, *, place: Place, sandbox: Sandbox, superadmin: Superadmin, say: Say) -> None:
        self.story = story
        self.stages: dict[str, Stage] = {}
        self._place = place
        self._sandbox = sandbox
        self._superadmin = superadmin
        self._say = say
        #: Makes this playing's idempotency keys its own; a step repeated after a fault has the same key.
        self._run = secrets.token_hex(4)

    def close(self) -> None:
        """Close the connections."""
        for stage in self.stages.values():
            stage.close()

    def play(self) -> None:
        """Play everything; raises StepFailed, Unmet, BrandExists or Unreachable at the first thing that is not so."""
        for brand in self.story.brands:
            self.stages[brand.key] = open_stage(brand, story=self.story, place=self._place, sandbox=self._sandbox)
        for index, brand in enumerate(self.story.brands):
            stage = self.stages[brand.key]
            try:
                stage.enter()
                stage.set_up(self._superadmin)
            except Refused as refusal:
                raise StepFailed(f"brands[{index}]", f"refused: {refusal}") from refusal
            self._say(f"    {brand.name} is open: {stage.place.url}")
        self._log_in_early_members()
        for index, step in enumerate(self.story.steps):
            self._play_step(index, step)

    def _log_in_early_members(self) -> None:
        """Log those in who act, or are never mentioned, before a `join` step of their own."""
        first: dict[tuple[str, str], str] = {}
        for step in self.story.steps:
            for role in ("member", "payer", "via"):
                name = getattr(step, role, None)
                if name is not None:
                    first.setdefault((step.brand, name), "join" if isinstance(step, steps.Join) and role == "member" else role)
        for member in self.story.members:
            if first.get((member.brand, member.key)) != "join":
                self._log_in(self.stages[member.brand], member.key)
        for stage in self.stages.values():
            stage.come_to_rest()
            stage.look_at_figures()

    def _log_in(self, stage: Stage, key: str, *, via: str | None = None) -> None:
        member = stage.members[key]
        via = via or (member.via if not stage.shop.knows(key) else None)
        token = self._share_token(stage, via) if via else None
        stage.shop.log_in(key, appid=stage.appid, nickname=member.nickname or key, share_token=token)

    def _share_token(self, stage: Stage, member: str, *, sku: str | None = None) -> str:
        """Return the token of a member's share; whoever is named as an upline has to log in first."""
        if not stage.shop.knows(member):
            self._log_in(stage, member)
        body = {"sku": sku} if sku else {}
        token: str = stage.shop.ask("POST", "/shares", member=member, json=body)["token"]
        return token

    def _play_step(self, index: int, step: steps.BaseStep) -> None:
        stage, where = self.stages[step.brand], f"steps[{index}]"
        if isinstance(step, steps.Expect):
            check(step, stage=stage, where=where)
            self._tell(index, stage, f"expect {_subject(step)}  ok")
            return
        try:
            what = self._act(index, step, stage)
            stage.come_to_rest()
            what = self._after(step, stage, what)
        except Refused as refusal:
            if step.expect_error is None:
                raise StepFailed(f"{where} ({step.do})", f"refused: {refusal}") from refusal
            if refusal.code != step.expect_error:
                raise Unmet(f"{where}.expect_error", expected=step.expect_error, got=str(refusal)) from refusal
            self._tell(index, stage, f"{step.do}  refused as expected: {refusal.code}")
            return
        if step.expect_error is not None:
            raise Unmet(f"{where}.expect_error", expected=step.expect_error, got="nothing refused this step")
        self._tell(index, stage, what, money=self._money(step, stage))

    def _act(self, index: int, step: steps.BaseStep, stage: Stage) -> str:
        """Do what a step says; returns it in words."""
        key = f"story-{self._run}-{index}"
        match step:
            case steps.Join():
                self._log_in(stage, step.member, via=step.via)
                return f"{step.member} joins" + (f" via {step.via}" if step.via else "")
            case steps.Share():
                return self._share(stage, step)
            case steps.Order():
                return self._order(stage, step, key=key, name=step.name or f"steps[{index}]")
            case steps.Pay():
                return self._pay(stage, step)
            case steps.Ship():
                order = stage.orders[step.order]
                stage.console.submit(f"/console/orders/{order.id}/ship", {"tracking": ""}, page=f"/console/orders/{order.id}")
                return f"ship order {step.order}"
            case steps.Receive():
                order = stage.orders[step.order]
                stage.shop.ask("POST", f"/orders/{order.id}/confirm-receipt", member=order.buyer)
                return f"{order.buyer} receives order {step.order}"
            case steps.Refund():
                return self._refund(stage, step, key=key)
            case steps.Advance():
                stage.advance(step.total_seconds)
                return f"time passes: {_span(step)}"
            case steps.Withdraw():
                return self._withdraw(stage, step, key=key, name=step.name or f"steps[{index}]")
            case steps.Approve() | steps.Reject():
                return self._decide(stage, step)
            case steps.ConfirmTransfer() | steps.ExpireTransfer():
                return self._end_transfer(stage, step)
            case _:
                return self._govern(stage, step)

    def _govern(self, stage: Stage, step: steps.BaseStep) -> str:
        """Do what only the brand's owner or the platform does."""
        match step:
            case steps.Freeze() | steps.Unfreeze():
                page = f"/console/promoters/{self._member_id(stage, step.member)}"
                fields = {"reason": step.reason} if isinstance(step, steps.Freeze) else {}
                stage.console.submit(f"{page}/{step.do}", fields, page=page)
                return f"{step.do} {step.member}"
            case steps.AcceptNotice():
                stage.accept_notice()
                return "the notice about two levels is accepted"
            case steps.Waiver():
                stage.waive(self._superadmin, levels=step.levels, reason=step.reason, days=step.days)
                return f"the platform allows {step.levels} levels for {step.days} days"
            case steps.SetTiers() | steps.SetPlan():
                stage.console.choose(step.do.removeprefix("set_"), step)
                return f"the brand chooses {step.plugin}"
        raise AssertionError(step)

    def _share(self, stage: Stage, step: steps.Share) -> str:
        token = self._share_token(stage, step.member, sku=step.sku)
        if step.name is not None:
            stage.shares[step.name] = token
        return f"{step.member} shares {step.sku or 'the shop'}"

    def _order(self, stage: Stage, step: steps.Order, *, key: str, name: str) -> str:
        body = {
            "lines": [{"sku": line.sku, "quantity": line.quantity} for line in step.lines],
            "coupon_code": stage.coupon(step.coupon_fen),
            "shipping_method": stage.shipping(step.freight_fen),
            "share_token": self._token_of(stage, step.via_share),
        }
        given = {field: value for field, value in body.items() if value is not None}
        order = stage.shop.ask("POST", "/orders", member=step.member, key=key, json=given)
        stage.orders[name] = Placed(id=order["id"], number=order["number"], buyer=step.member, wish=step)
        return f"{step.member} orders {name}  {yuan(order['total_fen'])}"

    def _token_of(self, stage: Stage, share: str | None) -> str | None:
        if share is None:
            return None
        return stage.shares.get(share) or self._share_token(stage, share)

    def _pay(self, stage: Stage, step: steps.Pay) -> str:
        order = stage.orders[step.order]
        sheet = stage.shop.ask("POST", f"/orders/{order.id}/pay", member=order.buyer)
        payer = stage.shop.openids[step.payer] if step.payer else None
        stage.sandbox.pay(
            sheet["package"].partition("=")[2], amount_fen=step.amount_fen, payer_openid=payer, times=step.times
        )
        return f"{order.buyer} pays order {step.order}"

    def _refund(self, stage: Stage, step: steps.Refund, *, key: str) -> str:
        order = stage.orders[step.order]
        lines = stage.shop.ask("GET", f"/orders/{order.id}", member=order.buyer)["lines"]
        left = {line["position"]: line["quantity"] - line["refunded_quantity"] for line in lines}
        pieces = {position: count for position, count in left.items() if count}
        if step.lines is not None:
            named = [(line, _position(line, lines)) for line in step.lines]
            pieces = {position: line.quantity or left[position] for line, position in named}
        fields = {"idempotency_key": key, "reason": step.reason, "freight": f"{step.freight_fen // 100}.{step.freight_fen % 100:02d}"}
        for line in lines:
            # A piece count that nobody could refund still has to reach the form, which is there to refuse it.
            fields[f"quantity-{line['id'].replace('-', '')}"] = str(pieces.get(line["position"], 0))
        page = f"/console/orders/{order.id}"
        stage.console.submit(f"{page}/refund", fields, page=page)
        return f"refund of order {step.order}"

    def _withdraw(self, stage: Stage, step: steps.Withdraw, *, key: str, name: str) -> str:
        body: dict[str, Any] = {"amount_fen": step.amount_fen}
        if step.real_name is not None:
            body["real_name"] = step.real_name
        made = stage.shop.ask("POST", "/withdrawals", member=step.member, key=key, json=body)
        stage.withdrawals[name] = Asked(id=made["id"], member=step.member, transfer_number=made["transfer_number"])
        return f"{step.member} asks for {yuan(step.amount_fen)} ({name})"

    def _decide(self, stage: Stage, step: steps.Approve | steps.Reject) -> str:
        page = f"/console/withdrawals/{stage.withdrawals[step.withdrawal].id}"
        fields = {"reason": step.reason} if isinstance(step, steps.Reject) else {}
        # On a repetition the transfer may have come to its end already, and the decision is old news.
        done_before = ("wrong_withdrawal_state",)
        stage.console.submit(f"{page}/{step.do}", fields, page="/console/withdrawals", done_before=done_before)
        return f"{step.do} withdrawal {step.withdrawal}"

    def _end_transfer(self, stage: Stage, step: steps.ConfirmTransfer | steps.ExpireTransfer) -> str:
        asked = stage.withdrawals[step.withdrawal]
        action = "confirm" if isinstance(step, steps.ConfirmTransfer) else "expire"
        stage.sandbox.end_transfer(stage.mchid, asked.transfer_number, action=action)
        return f"{asked.member} {action}s the transfer of {step.withdrawal}" if action == "confirm" else (
            f"the transfer of {step.withdrawal} expires"
        )
