"""An award's explanation as a sentence: what a promoter reads and what was paid are the same figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fanyong.web.money import percent, yuan
from fanyong.web.words import _

FULL_BP = 10_000
Facts = Mapping[str, Any]


def award_sentence(explanation: Facts) -> str:
    """Return how an award's amount came about: what it is for, the sum, the rule, the plan's version, cuts."""
    details: Facts = explanation.get("details") or {}
    parts = [_what_for(explanation, details), *_sum(explanation, details), *_precedence(details)]
    parts.append(_("rule %(rule)s", rule=explanation["rule"]))
    if explanation.get("plan_version"):
        parts.append(_("plan version %(number)s", number=explanation["plan_version"]))
    parts += _caps(explanation)
    return _(", ").join(part for part in parts if part)


def withheld_sentence(reason: str, *, level: int = 0, rule: str = "") -> str:
    """Return why somebody gets nothing of a line, or nobody does."""
    found = _WITHHELD.get(reason)
    said = found(level) if found else _("Nothing is paid: %(reason)s.", reason=reason)
    return _("%(said)s Rule %(rule)s.", said=said, rule=rule) if rule else said


_WITHHELD: dict[str, Callable[[int], str]] = {
    "not_promoter": lambda level: _("This person was no promoter when the order was paid."),
    "frozen": lambda level: _("This promoter was frozen when the order was paid."),
    "level_not_allowed": lambda level: _("The brand was not allowed to pay level %(level)s.", level=level),
    "team_not_allowed": lambda level: _("The brand was not allowed to reward what a team sells."),
    "zero": lambda level: _("It comes to less than one fen."),
    "no_upline": lambda level: _("Nobody stands at level %(level)s above the buyer.", level=level),
    "outranked": lambda level: _("Somebody below holds the same or a higher tier and earned the difference."),
    "no_cost": lambda level: _("Nobody said what the goods cost, so there is no margin to share."),
    "line_cap": lambda level: _("The limit of the order line left nothing."),
    "order_cap": lambda level: _("The limit of the order left nothing."),
    "promoter_day_cap": lambda level: _("The promoter has reached the limit of the day."),
    "budget": lambda level: _("The budget of the plan has run out."),
}
#: What an award is for, by what its rule says of itself.
_WHAT_FOR: dict[str, Callable[[Facts, Facts], str]] = {
    "sku": lambda e, d: _("the rate of the SKU %(target)s", target=d["target"]),
    "product": lambda e, d: _("the rate of the product %(target)s", target=d["target"]),
    "category": lambda e, d: _("the rate of the category %(target)s", target=d["target"]),
    "order_ladder": lambda e, d: _("the rate of orders from %(amount)s on", amount=yuan(d["from_fen"])),
    "month_ladder": lambda e, d: _("the rate from %(amount)s sold in the month on", amount=yuan(d["from_fen"])),
    "campaign": lambda e, d: _("campaign %(name)s", name=d["campaign"]),
    "leader": lambda e, d: _("the nearest group leader above the buyer"),
    "new_member": lambda e, d: _("the first order of somebody new"),
    "differential": lambda e, d: _(
        "differential: %(own)s of the tier less %(below)s below it",
        own=percent(d["own_bp"]),
        below=percent(d["below_bp"]),
    ),
    "same_rank": lambda e, d: _("person %(number)s of the same tier above", number=d["generation"]),
    "management": lambda e, d: _("management bonus of generation %(number)s", number=d["generation"]),
    "region": lambda e, d: _("agent of the region %(code)s", code=d["region"]),
    "pool": lambda e, d: _("dividend pool of %(period)s", period=e.get("period", "")),
    "target": lambda e, d: _(
        "target of %(amount)s in %(period)s", amount=yuan(d["from_fen"]), period=e.get("period", "")
    ),
    "month_difference": lambda e, d: _("the best rate for the whole month %(period)s", period=e.get("period", "")),
}


def _what_for(explanation: Facts, details: Facts) -> str:
    found = _WHAT_FOR.get(str(details.get("by", "")))
    words = found(explanation, details) if found else ""
    orders = {"first": _("on a first order"), "repeat": _("on a later order")}.get(str(details.get("orders", "")), "")
    return " ".join(part for part in (words, orders) if part)


def _sum(explanation: Facts, details: Facts) -> list[str]:
    """Return the calculation, and what was rounded off."""
    by = details.get("by")
    if by == "pool":
        return [_pool_sum(explanation, details)]
    if explanation.get("fixed_fen") is not None or details.get("fixed_fen") is not None:
        return _fixed_sum(explanation, details)
    exact = int(explanation.get("exact_fen_times_10000", explanation["base_fen"] * explanation["rate_bp"]))
    parts = [
        _(
            "%(rate)s of %(base)s (%(base_name)s) = %(exact)s",
            rate=percent(int(explanation["rate_bp"])),
            base=yuan(int(explanation["base_fen"])),
            base_name=_base_name(explanation, details),
            exact=_exact(exact),
        )
    ]
    if exact % FULL_BP:
        parts.append(_("floored to %(amount)s", amount=yuan(exact // FULL_BP)))
    if by == "month_difference":
        paid = yuan(int(details["paid_before_fen"]))
        parts.append(_("less %(paid)s paid during the month", paid=paid))
        parts.append(_("leaves %(amount)s", amount=yuan(int(explanation["amount_fen"]))))
    return parts


def _pool_sum(explanation: Facts, details: Facts) -> str:
    return _(
        "%(rate)s of %(base)s (turnover of the month) = %(pool)s; %(weight)s of %(weights)s shares are %(amount)s",
        rate=percent(int(explanation["rate_bp"])),
        base=yuan(int(explanation["base_fen"])),
        pool=yuan(int(details["pool_fen"])),
        weight=details["weight"],
        weights=details["weights"],
        amount=yuan(int(explanation["amount_fen"])),
    )


def _fixed_sum(explanation: Facts, details: Facts) -> list[str]:
    fixed = int(explanation.get("fixed_fen") or details.get("fixed_fen") or 0)
    if "piece_fen" in details:
        piece, pieces = yuan(int(details["piece_fen"])), details["pieces"]
        total = int(details["piece_fen"]) * int(details["pieces"])
        parts = [_("%(piece)s a piece × %(pieces)s = %(sum)s", piece=piece, pieces=pieces, sum=yuan(total))]
        if "exchanged_fen" in details:
            goods = yuan(int(details["exchanged_fen"]))
            parts.append(_("of which %(part)s without the %(goods)s paid with goods", part=yuan(fixed), goods=goods))
    elif "order_fen" in details:
        whole = yuan(int(details["order_fen"]))
        parts = [_("%(whole)s for the order, of which %(part)s for this line", whole=whole, part=yuan(fixed))]
    else:
        parts = [_("an amount of %(amount)s", amount=yuan(fixed))]
    paid = explanation.get("line_paid_fen")
    if paid is not None and fixed > int(paid):
        parts.append(_("at most the %(paid)s paid for the line", paid=yuan(int(paid))))
    return parts


def _base_name(explanation: Facts, details: Facts) -> str:
    """Return what the percentage was taken of."""
    base, paid = explanation.get("base", "paid"), yuan(int(explanation.get("line_paid_fen", 0)))
    if base == "paid_less_tax":
        return _("%(paid)s paid less %(tax)s tax in it", paid=paid, tax=yuan(int(details.get("tax_fen", 0))))
    if base == "margin":
        return _("%(paid)s paid less %(cost)s cost", paid=paid, cost=yuan(int(details.get("cost_fen", 0))))
    if base == "fixed_base":
        piece = yuan(int(details.get("piece_base_fen", 0)))
        return _("commission base of %(piece)s a piece × %(pieces)s", piece=piece, pieces=details.get("pieces", 1))
    if base == "commission":
        if "below_level" in details:
            return _("commission of level %(level)s", level=details["below_level"])
        return _("commission of the same tier below")
    if base in ("volume", "pool"):
        return _volume_name(str(details.get("figure", "")))
    if int(details.get("agents", 1)) > 1:
        return _("an even part for each of %(count)s agents of the region", count=details["agents"])
    if explanation["base_fen"] == explanation["line_paid_fen"]:
        return _("line paid after discounts")
    return _("part of the line, of which %(paid)s was paid", paid=paid)


def _volume_name(figure: str) -> str:
    if figure == "own":
        return _("own purchases of the month")
    return _("sales of the team in the month") if figure == "team" else _("sales through own shares in the month")


def _precedence(details: Facts) -> list[str]:
    others = details.get("instead_of")
    return [_("comes before %(rules)s", rules=others)] if others else []


def _caps(explanation: Facts) -> list[str]:
    """Return each limit that struck; explanations from before there were several name the one there was."""
    caps = explanation.get("caps")
    if not caps and explanation.get("cap"):
        caps = [
            {"cap": explanation["cap"], "limit_fen": explanation["cap_fen"], "after_fen": explanation["amount_fen"]}
        ]
    return [
        _cap(cap["cap"], limit=yuan(int(cap["limit_fen"])), after=yuan(int(cap["after_fen"]))) for cap in caps or ()
    ]


def _cap(name: str, *, limit: str, after: str) -> str:
    if name == "order_cap":
        return _("cut to %(amount)s so that all awards of the order stay within %(cap)s", amount=after, cap=limit)
    if name == "promoter_day_cap":
        return _("cut to %(amount)s so that the promoter's day stays within %(cap)s", amount=after, cap=limit)
    if name == "budget":
        return _("cut to %(amount)s because %(left)s was left of the budget", amount=after, left=limit)
    if name == "budget_passed":
        return _("paid although only %(left)s was left of the budget", left=limit)
    return _("cut to %(amount)s so that all awards of the line stay within %(cap)s", amount=after, cap=limit)


def _exact(fen_times_10000: int) -> str:
    """Return an amount with all the digits it has beyond the fen."""
    whole, rest = divmod(fen_times_10000, FULL_BP)
    digits = f"{rest:04d}".rstrip("0")
    return f"{yuan(whole)}{digits}"
