"""The end state of a story, as `--json` prints it."""

from __future__ import annotations

from typing import Any

from fanyong.devtools.story.expect_steps import FIGURES
from fanyong.devtools.story.expectations import awards_by_order
from fanyong.devtools.story.player import Player
from fanyong.devtools.story.stage import Stage


def end_state(player: Player, *, ledgers: dict[str, Any], failure: dict[str, Any] | None) -> dict[str, Any]:
    """Return what every promoter has, what every order line awarded, and whether the books are right."""
    books_are_right = all(ledger["ok"] for ledger in ledgers.values())
    return {
        "story": player.story.name,
        "ok": failure is None and books_are_right,
        "failure": failure,
        "brands": {key: _brand(stage, ledger=ledgers.get(key)) for key, stage in player.stages.items()},
    }


def _brand(stage: Stage, *, ledger: Any) -> dict[str, Any]:
    stage.look_at_figures()
    awards = awards_by_order(stage)
    names = (*FIGURES, "tier")
    return {
        "name": stage.brand.name,
        "subdomain": stage.place.host.partition(".")[0],
        "shop_url": f"{stage.place.url}/",
        "console_url": f"{stage.place.url}/console/",
        "login": {"email": stage.login.email, "password": stage.login.password},
        "promoters": {key: {name: figures[name] for name in names} for key, figures in stage.figures.items()},
        "orders": {
            name: _order(stage, name, awards=awards.get(placed.number, [])) for name, placed in stage.orders.items()
        },
        "withdrawals": {name: _withdrawal(stage, name) for name in stage.withdrawals},
        "ledger": ledger,
    }


def _order(stage: Stage, name: str, *, awards: list[dict[str, Any]]) -> dict[str, Any]:
    order = stage.order(name)
    money = ("state", "goods_fen", "coupon_fen", "freight_fen", "total_fen", "refunded_fen")
    lines = []
    for line in order["lines"]:
        own = [award for award in awards if award["position"] == line["position"]]
        lines.append(
            {field: line[field] for field in ("sku", "quantity", "paid_fen", "refunded_quantity", "refunded_fen")}
            | {"awards": [{k: v for k, v in award.items() if k not in ("position", "sku", "held")} for award in own]}
        )
    return {"member": stage.orders[name].buyer, **{field: order[field] for field in money}, "lines": lines}


def _withdrawal(stage: Stage, name: str) -> dict[str, Any]:
    shown = stage.withdrawal(name)
    return {"member": stage.withdrawals[name].member} | {
        field: shown[field] for field in ("amount_fen", "tax_fen", "fee_fen", "net_fen", "state", "reason")
    }
