"""What a payment freezes into an order: who earns by which rules, whatever changes afterwards."""

from __future__ import annotations

from datetime import datetime

from fanyong.compliance import service as compliance
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.database import session
from fanyong.values import LineFacts, OrderFacts, PlanTraits
from tenants.members.models import Member
from tenants.orders.models import Order, OrderLine
from tenants.promoters import regions, sales
from tenants.promoters import service as promoters


def freeze(order: Order, *, paid_at: datetime) -> OrderFacts:
    """Return the facts of an order at its payment; buyer and seller are locked until the transaction ends.

    Of two orders at once, which count towards the same month, one is the later.
    """
    member = session().get_one(Member, order.member_id, populate_existing=True)
    promoters.lock([member.id, *member.ancestors[:1]])
    upline = member.ancestors[: max(compliance.MAX_LEVELS, _upline_depth(paid_at))]
    buyer, *above = promoters.people([member.id, *upline], first_level=0, paid_at=paid_at)
    return OrderFacts(
        order_id=order.id,
        paid_at=paid_at,
        lines=tuple(_line(line) for line in order.lines),
        buyer=buyer,
        upline=tuple(above),
        levels_allowed=compliance.levels_allowed(),
        order_number=sales.orders_of(member.id) + 1,
        region=order.region,
        region_agents=promoters.agents(regions.agents_for(order.region, at=paid_at), paid_at=paid_at),
        team_allowed=compliance.team_allowed(),
    )


def _line(line: OrderLine) -> LineFacts:
    return LineFacts(
        line_id=line.id,
        sku=line.sku,
        category=line.category,
        quantity=line.quantity,
        paid_fen=line.paid_fen,
        product=line.product_code,
        cost_fen=line.cost_fen,
        tax_bp=line.tax_bp,
        fixed_base_fen=line.commission_base_fen,
        exchanged_fen=line.exchanged_fen,
        self_discount_bp=line.self_discount_bp,
    )


def _upline_depth(paid_at: datetime) -> int:
    """Return how far up the plan in force looks; a plan that fails, or does not say, gets the usual levels."""
    activation = plugins.current_activation("commission_plan", at=paid_at)
    if activation is None:
        return 0
    try:
        traits = plugins.get_activation(activation.id).ask("plan_traits")
    except PluginFailed:
        return 0
    return traits.upline_depth if isinstance(traits, PlanTraits) else 0
