"""The full plan worked out the slow and plain way: every row is looked at for every line and person, no code shared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from math import floor
from typing import Any
from uuid import UUID

from fanyong.values import LineFacts, OrderFacts, Person

#: line, person, kind, level, base, rate, fixed amount (None for a percentage)
Wanted = tuple[UUID, UUID, str, int, int, int, int | None]
Row = Mapping[str, Any]
BEIJING = timezone(timedelta(hours=8))
SCOPES = {"brand": 0, "category": 1, "product": 2, "sku": 3}


def awards(values: Mapping[str, Any], facts: OrderFacts) -> list[Wanted]:
    """Return whom the plan wants to pay how much of which line."""
    wanted: list[Wanted] = []
    for number, line in enumerate(facts.lines):
        base = base_fen(values.get("base", "paid"), line)
        own = values.get("own_purchases", {})
        rebate = own_rate(values, line, facts.buyer) if own.get("mode") == "rebate" else None
        cheaper = line.self_discount_bp > 0 and facts.buyer.tier is not None and own.get("mode", "none") != "none"
        if rebate and not cheaper:
            wanted += pay("self", rebate, line, facts.buyer, base)
        upline_earns = own.get("pay_upline", False) or not (cheaper or rebate)
        if upline_earns:
            earned = {}
            for person in facts.upline:
                if person.level > 3:
                    continue
                shares = [
                    paid
                    for row in share_rows(values, facts, line, person)
                    for paid in pay("share", row, line, person, base)
                ]
                wanted += shares
                if person.tier is not None and not person.frozen and person.level <= facts.levels_allowed:
                    earned[person.level] = sum(amount(share, line) for share in shares)
                for row in campaign_rows(values, facts, line, person, "extra"):
                    wanted += pay("bonus", row, line, person, base)
            wanted += leader(values, facts, line, base)
            wanted += new_member(values, facts, number, base)
            wanted += differential(values, facts, line, base, earned)
            wanted += management(values, facts, line, earned)
        wanted += regions(values, facts, line, base)
    return wanted


def amount(wanted: Wanted, line: LineFacts) -> int:
    """Return what somebody wants in fen, before caps."""
    _line, _person, _kind, _level, base, rate_bp, fixed = wanted
    return floor(Fraction(base * rate_bp, 10_000)) if fixed is None else min(fixed, line.paid_fen)


def base_fen(kind: str, line: LineFacts) -> int | None:
    """Return what a percentage is taken of; None where nobody knows."""
    if kind == "paid_less_tax":
        return floor(Fraction(line.paid_fen) / (1 + Fraction(line.tax_bp, 10_000)))
    if kind == "margin":
        return None if line.cost_fen is None else max(0, line.paid_fen - line.cost_fen)
    if kind == "fixed_base" and line.fixed_base_fen is not None:
        return min(line.paid_fen, line.fixed_base_fen * line.quantity)
    return line.paid_fen


def pay(kind: str, row: Row, line: LineFacts, person: Person, base: int | None) -> list[Wanted]:
    """Return what a row brings somebody: nothing where its percentage has no base."""
    if row.get("fixed_fen") is not None:
        fixed = row["fixed_fen"] * line.quantity
        if line.exchanged_fen:
            fixed = floor(Fraction(line.paid_fen, line.paid_fen + line.exchanged_fen) * fixed)
        return [(line.line_id, person.member_id, kind, person.level, line.paid_fen, 0, fixed)]
    if base is None:
        return []
    return [(line.line_id, person.member_id, kind, person.level, base, row["rate_bp"], None)]


def worth_something(row: Row | None) -> bool:
    return row is not None and bool(row.get("rate_bp") or row.get("fixed_fen"))


def is_for(row: Row, line: LineFacts) -> bool:
    """Return whether the goods of a row are those of a line."""
    scope, target = row.get("scope", "brand"), row.get("target", "")
    return bool(
        scope == "brand"
        or (scope == "category" and line.category == target)
        or (scope == "product" and line.product == target)
        or (scope == "sku" and line.sku == target)
    )


def best(rows: Sequence[Row], line: LineFacts, tier: str | None, *, first: bool = False) -> Row | None:
    """Return the most specific row: goods, then first or later orders, then the tier."""
    winner, highest = None, (-1, -1, -1)
    for row in rows:
        orders = row.get("orders", "all")
        fits_orders = orders == "all" or (orders == "first") == first
        if not is_for(row, line) or not fits_orders or row.get("tier", "") not in ("", tier or ""):
            continue
        rank = (SCOPES[row.get("scope", "brand")], int(orders != "all"), int(row.get("tier", "") != ""))
        if rank > highest:
            winner, highest = row, rank
    return winner


def own_rate(values: Mapping[str, Any], line: LineFacts, buyer: Person) -> Row | None:
    own = values.get("own_purchases", {})
    if own.get("mode", "none") == "none" or buyer.tier is None:
        return None
    row = best(own.get("rates", []), line, buyer.tier)
    return row if worth_something(row) else None


def band(ladder: Mapping[str, Any], tier: str | None, reached: int) -> Row | None:
    """Return the highest band that is reached; a tier with bands of its own has those alone."""
    bands = ladder.get("bands", [])
    own = [row for row in bands if row.get("tier", "") and row["tier"] == tier]
    found = None
    for row in own or [row for row in bands if not row.get("tier", "")]:
        if row["from_fen"] <= reached and (found is None or row["from_fen"] > found["from_fen"]):
            found = row
    return found


def share_rows(values: Mapping[str, Any], facts: OrderFacts, line: LineFacts, person: Person) -> list[Row]:
    """Return the rows that make somebody's share: one rate, and ladders on top."""
    rates = [row for row in values.get("rates", []) if row["level"] == person.level]
    rate = best(rates, line, person.tier, first=facts.order_number == 1)
    on_top = []
    if person.level == 1:
        goods = sum(other.paid_fen for other in facts.lines)
        for name, reached in (("month_ladder", person.month_fen), ("order_ladder", goods)):
            ladder = values.get(name, {})
            step = band(ladder, person.tier, reached)
            together = ladder.get("together", "extra" if name == "month_ladder" else "instead")
            if step is None:
                continue
            if together == "extra":
                on_top.append(step)
            elif rate is None or (rate.get("scope", "brand") == "brand" and rate.get("orders", "all") == "all"):
                rate = step
    instead = campaign_rows(values, facts, line, person, "instead")
    if instead:
        rate = instead[0]
    return [row for row in (rate, *on_top) if row is not None and worth_something(row)]


def campaign_rows(
    values: Mapping[str, Any], facts: OrderFacts, line: LineFacts, person: Person, together: str
) -> list[Row]:
    """Return the best row of each campaign that runs; of those that replace rates, the best of all."""
    running = []
    for row in values.get("campaigns", []):
        starts, ends = (datetime.fromisoformat(row[name]) for name in ("starts_at", "ends_at"))
        starts, ends = (moment if moment.tzinfo else moment.replace(tzinfo=BEIJING) for moment in (starts, ends))
        is_meant = row.get("together", "extra") == together and row.get("level", 1) == person.level
        if is_meant and starts <= facts.paid_at < ends:
            running.append(row)
    if together == "instead":
        found = best(running, line, person.tier)
        return [found] if found else []
    names = dict.fromkeys(row["name"] for row in running)
    winners = (best([row for row in running if row["name"] == name], line, person.tier) for name in names)
    return [row for row in winners if row]


def leader(values: Mapping[str, Any], facts: OrderFacts, line: LineFacts, base: int | None) -> list[Wanted]:
    bonuses = values.get("bonuses", {})
    rows = list(bonuses.get("leaders", []))
    for person in facts.upline:
        if person.level > bonuses.get("leader_depth", 1) or person.tier is None:
            continue
        own = [row for row in rows if row.get("tier", "") == person.tier]
        for row in own or [row for row in rows if not row.get("tier", "")]:
            return pay("bonus", row, line, person, base) if worth_something(row) else []
    return []


def new_member(values: Mapping[str, Any], facts: OrderFacts, number: int, base: int | None) -> list[Wanted]:
    bonuses, line = values.get("bonuses", {}), facts.lines[number]
    goods = sum(other.paid_fen for other in facts.lines)
    if facts.order_number != 1 or not facts.upline or goods < max(1, bonuses.get("new_member_from_fen", 0)):
        return []
    fixed = bonuses.get("new_member_fen")
    if fixed is not None:
        part = spread(min(fixed, goods), [other.paid_fen for other in facts.lines])[number]
        person = facts.upline[0]
        return [(line.line_id, person.member_id, "bonus", 1, line.paid_fen, 0, part)] if part else []
    if not bonuses.get("new_member_bp"):
        return []
    return pay("bonus", {"rate_bp": bonuses["new_member_bp"]}, line, facts.upline[0], base)


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Split by largest remainder, the earlier part first among equals."""
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    parts = [floor(value) for value in exact]
    rest = [value - part for value, part in zip(exact, parts, strict=True)]
    while sum(parts) < total:
        index = rest.index(max(rest))
        parts[index], rest[index] = parts[index] + 1, Fraction(-1)
    return parts


def of_generation(rows: Sequence[Row], generation: int, tier: str | None) -> Row | None:
    rows = [row for row in rows if row.get("generation", 1) == generation]
    own = [row for row in rows if row.get("tier", "") and row["tier"] == tier]
    row = next(iter(own or [row for row in rows if not row.get("tier", "")]), None)
    return row if worth_something(row) else None


def differential(
    values: Mapping[str, Any], facts: OrderFacts, line: LineFacts, base: int | None, earned: dict[int, int]
) -> list[Wanted]:
    """Return the differences going up, and the parts that people of the same tier get of them."""
    team = values.get("team", {})
    rates = {row["tier"]: row["rate_bp"] for row in team.get("differential", []) if row["rate_bp"]}
    wanted: list[Wanted] = []
    highest, holder, got, generation = 0, "", 0, 0
    for person in facts.upline:
        rate = rates.get(person.tier or "no tier")
        if person.level > team.get("depth", 10) or rate is None:
            continue
        if rate > highest:
            kind = "share" if person.level == 1 else "team"
            wanted += pay(kind, {"rate_bp": rate - highest}, line, person, base)
            allowed = person.level == 1 or facts.team_allowed
            got = (
                0 if base is None or person.frozen or not allowed else floor(Fraction(base * (rate - highest), 10_000))
            )
            if person.level == 1:
                earned[1] = earned.get(1, 0) + got
            highest, holder, generation = rate, person.tier or "", 0
        elif person.tier == holder:
            generation += 1
            row = of_generation(team.get("same_rank", []), generation, person.tier)
            if row:
                wanted.append((line.line_id, person.member_id, "team", person.level, got, row["rate_bp"], None))
    return wanted


def management(values: Mapping[str, Any], facts: OrderFacts, line: LineFacts, earned: dict[int, int]) -> list[Wanted]:
    team = values.get("team", {})
    wanted: list[Wanted] = []
    for level, commission in earned.items():
        for person in facts.upline:
            generation = person.level - level
            row = of_generation(team.get("management", []), generation, person.tier)
            if row and generation >= 1 and commission > 0 and person.level <= team.get("depth", 10):
                base = min(commission, line.paid_fen)
                wanted.append((line.line_id, person.member_id, "team", person.level, base, row["rate_bp"], None))
    return wanted


def regions(values: Mapping[str, Any], facts: OrderFacts, line: LineFacts, base: int | None) -> list[Wanted]:
    section = values.get("regions", {})
    wanted: list[Wanted] = []
    for size, shape in (("district", r"\d{4}(?!00)\d{2}"), ("city", r"\d{2}(?!00)\d{2}00"), ("province", r"\d{2}0000")):
        rate = next((row["rate_bp"] for row in section.get("rates", []) if row["size"] == size), 0)
        agents = [person for person in facts.region_agents if re.fullmatch(shape, person.region)]
        if not rate or not agents:
            continue
        if base is not None:
            parts = spread(base, [1] * len(agents))
            wanted += [
                (line.line_id, person.member_id, "region", 0, part, rate, None)
                for person, part in zip(agents, parts, strict=True)
            ]
        if section.get("who", "all") == "nearest":
            break
    return wanted
