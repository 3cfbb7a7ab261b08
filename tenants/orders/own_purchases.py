"""The discount that a plan gives promoters on what they buy for themselves, asked when the order is placed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed
from fanyong.values import LineFacts, Person
from tenants.commissions import service as commissions
from tenants.orders.models import OrderLine
from tenants.promoters import service as promoters


def discounts_bp(member_id: UUID, lines: Sequence[OrderLine]) -> list[int]:
    """Return by how much the buyer gets each line cheaper, in basis points of its price.

    Only promoters who are not frozen get anything. A plan that fails sells at the full price, and its failure is kept
    where the brand sees it.
    """
    nothing = [0] * len(lines)
    buyer = promoters.people([member_id], first_level=0)[0]
    if buyer.tier is None or buyer.frozen:
        return nothing
    try:
        plan = commissions.current_plan()
        return [discount_bp(plan, buyer, _facts_of(line)) for line in lines] if plan else nothing
    except PluginFailed as failure:
        plugins.record_failure(failure)
        return nothing


def _facts_of(line: OrderLine) -> LineFacts:
    return LineFacts(
        line.id,
        line.sku,
        line.category,
        line.quantity,
        line.unit_price_fen * line.quantity,
        product=line.product_code,
        cost_fen=line.cost_fen,
        tax_bp=line.tax_bp,
        fixed_base_fen=line.commission_base_fen,
    )


def discount_bp(plan: plugins.ActivePlugin, buyer: Person, line: LineFacts) -> int:
    """Return by how much a promoter gets a line cheaper, in basis points of its price; raises PluginFailed."""
    answer = plan.ask("self_discount", buyer=buyer, line=line)
    if answer is None:
        return 0
    if type(answer) is not int or not 0 <= answer <= 10_000:
        error = TypeError(f"answered {answer!r}")
        raise PluginFailed(plugin=plan.plugin.name, hook="self_discount", error=error)
    return answer
