"""The invariants of a brand's books (`docs/money.md`), each a query that must find nothing.

They read tables across features and change nothing. `flask ledger check` and the console run them; the tests run them
after every fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa

from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.database import session
from fanyong.values import OrderFacts
from tenants.commissions import processing
from tenants.commissions.models import Award, CommissionWork
from tenants.commissions.service import FACTS
from tenants.ledger.models import AccountName, PostingKind

#: How many orders a check computes again; the newest ones.
RECOMPUTED_ORDERS = 500

_ALL = ", ".join(str(int(account)) for account in AccountName)
_KINDS = ", ".join(str(int(kind)) for kind in PostingKind)
_LEGS = """
legs AS (
    SELECT owner_id, credit AS account, amount_fen FROM posting
    UNION ALL SELECT owner_id, debit, -amount_fen FROM posting
), sums AS (SELECT owner_id, account, sum(amount_fen) AS fen FROM legs GROUP BY 1, 2)
"""

CHECKS: dict[str, str] = {
    # One row is both sides of a posting, so the accounts add up to zero as long as every row has two good sides.
    "1 every posting moves an amount between two accounts": f"""
        SELECT format('posting %s', position) FROM posting
         WHERE amount_fen <= 0 OR debit = credit OR (debit <= 10 AND credit <= 10) OR kind NOT IN ({_KINDS})
            OR debit NOT IN ({_ALL}) OR credit NOT IN ({_ALL})""",
    "1 a stored balance equals the sum of its postings": f"""
        WITH {_LEGS}
        SELECT format('%s of %s: stored %s, posted %s', coalesce(b.account, s.account),
                      coalesce(b.owner_id, s.owner_id), b.balance_fen, s.fen)
          FROM balance b FULL JOIN (SELECT owner_id, account, CASE account WHEN 17 THEN -fen ELSE fen END AS fen
                                      FROM sums WHERE account IN (13, 17)) s
               ON s.owner_id = b.owner_id AND s.account = b.account
         WHERE coalesce(b.balance_fen, 0) <> coalesce(s.fen, 0)""",
    # Fees lower what a promoter has, and a debt that was written off raises it; nothing else may.
    "2 commissions less reversals equal the promoter's accounts": f"""
        WITH {_LEGS}, earned AS (
            SELECT beneficiary_id, sum(fen) AS fen FROM (
                SELECT beneficiary_id, amount_fen AS fen FROM award
                UNION ALL SELECT a.beneficiary_id, -r.amount_fen FROM award_reversal r JOIN award a ON a.id = r.award_id
            ) x GROUP BY 1), held AS (SELECT owner_id, sum(fen) AS fen FROM sums WHERE account <> 1 GROUP BY 1)
        SELECT format('%s: earned %s, in the books %s', coalesce(e.beneficiary_id, h.owner_id), e.fen, h.fen)
          FROM earned e FULL JOIN held h ON h.owner_id = e.beneficiary_id
         WHERE coalesce(e.fen, 0) <> coalesce(h.fen, 0)""",
    "2 accruals equal the accounts estimated and frozen": f"""
        WITH {_LEGS}, open AS (SELECT beneficiary_id, CASE state WHEN 'frozen' THEN 12 ELSE 11 END AS account,
                                      sum(remaining_fen) AS fen FROM accrual
                                WHERE state IN ('estimated', 'frozen') GROUP BY 1, 2),
             held AS (SELECT owner_id, account, fen FROM sums WHERE account IN (11, 12))
        SELECT format('%s of account %s: accruals %s, postings %s', coalesce(o.beneficiary_id, h.owner_id),
                      coalesce(o.account, h.account), o.fen, h.fen)
          FROM open o FULL JOIN held h ON h.owner_id = o.beneficiary_id AND h.account = o.account
         WHERE coalesce(o.fen, 0) <> coalesce(h.fen, 0)""",
    "2 an accrual is its award less its reversals": """
        SELECT format('award %s: %s remain', a.id, c.remaining_fen) FROM award a
          LEFT JOIN accrual c ON c.award_id = a.id
          LEFT JOIN (SELECT award_id, sum(amount_fen) AS fen FROM award_reversal GROUP BY 1) t ON t.award_id = a.id
         WHERE c.remaining_fen IS DISTINCT FROM a.amount_fen - coalesce(t.fen, 0)
            OR c.beneficiary_id <> a.beneficiary_id OR c.line_id <> a.line_id OR c.order_id <> a.order_id
            OR (c.state = 'reversed') <> (c.remaining_fen = 0 AND c.released_at IS NULL)""",
    "3 no account of a promoter is overdrawn": f"""
        WITH {_LEGS} SELECT format('account %s of %s: %s', account, owner_id, fen) FROM sums
         WHERE account > 10 AND (CASE account WHEN 17 THEN -fen ELSE fen END) < 0""",
    "4 commissions of a line never exceed what was paid for it": """
        SELECT format('line %s: %s of %s', l.id, sum(a.amount_fen), l.paid_fen)
          FROM award a JOIN order_line l ON l.id = a.line_id
         GROUP BY l.id, l.paid_fen HAVING sum(a.amount_fen) > l.paid_fen""",
    "4 reversals stay within the award and follow the refunds": """
        WITH given AS (SELECT rl.line_id, sum(rl.amount_fen) AS fen FROM order_refund_line rl
                         JOIN order_refund r ON r.refund_id = rl.refund_id WHERE r.state = 'done' GROUP BY 1),
             taken AS (SELECT award_id, sum(amount_fen) AS fen FROM award_reversal GROUP BY 1)
        SELECT format('award %s: reversed %s of %s', a.id, t.fen, a.amount_fen)
          FROM award a JOIN order_line l ON l.id = a.line_id LEFT JOIN given g ON g.line_id = l.id
          LEFT JOIN taken t ON t.award_id = a.id
         WHERE coalesce(t.fen, 0) <> CASE WHEN l.paid_fen = 0 THEN 0
                                          ELSE div(a.amount_fen::numeric * coalesce(g.fen, 0), l.paid_fen) END
           AND NOT EXISTS (SELECT FROM commission_work w WHERE w.order_id = a.order_id AND w.done_at IS NULL)""",
    "5 every paid order has been handed to the books exactly once": """
        SELECT format('order %s', o.number) FROM "order" o
          LEFT JOIN commission_work w ON w.order_id = o.id AND w.kind = 'paid'
         WHERE (o.paid_at IS NOT NULL) <> (w.id IS NOT NULL)""",
    "6 what is released was due, and was posted once": """
        SELECT format('award %s', c.award_id) FROM accrual c
         WHERE (c.state = 'released' AND (c.released_at < c.due_at OR NOT EXISTS
                    (SELECT FROM posting p WHERE p.source_id = c.award_id AND p.kind = 3)))
            OR (c.state <> 'released' AND EXISTS (
                    SELECT FROM posting p WHERE p.source_id = c.award_id AND p.kind = 3))""",
    "7 every withdrawal is held, and then paid or returned exactly once": """
        SELECT format('withdrawal %s (%s)', w.id, w.state) FROM withdrawal w JOIN transfer t ON t.id = w.transfer_id
         CROSS JOIN LATERAL (SELECT
            count(*) FILTER (WHERE kind = 6) AS hold,
            count(*) FILTER (WHERE kind = 7) AS paid,
            count(*) FILTER (WHERE kind = 8) AS returned
            FROM posting WHERE source_id = w.id) p
         WHERE p.hold <> 1 OR (w.state = 'paid') <> (p.paid = 1)
            OR (w.state IN ('rejected', 'failed')) <> (p.returned = 1)
            OR w.amount_fen <> t.amount_fen OR (w.state = 'paid') <> (t.state = 'paid')""",
    "9 the relations form no circle and ancestors follow the parent": """
        SELECT format('member %s', m.id) FROM member m LEFT JOIN member p ON p.id = m.parent_id
         WHERE m.id = ANY (m.ancestors)
            OR m.ancestors <> CASE WHEN m.parent_id IS NULL THEN '{}' ELSE p.id || p.ancestors END""",
    "9 every paid order has its attribution frozen": """
        SELECT format('order %s', number) FROM "order" WHERE (paid_at IS NOT NULL) <> (attribution IS NOT NULL)""",
    "10 every award stands in the books with its amount": """
        SELECT format('award %s', a.id) FROM award a LEFT JOIN posting p ON p.source_id = a.id AND p.kind = 1
         WHERE p.amount_fen IS DISTINCT FROM a.amount_fen""",
    "11 every posting is of a member of this brand": """
        SELECT format('%s', p.owner_id) FROM (SELECT DISTINCT owner_id FROM posting) p
         WHERE NOT EXISTS (SELECT FROM member m WHERE m.id = p.owner_id)""",
    "11 payments and refunds of orders add up": """
        SELECT format('order %s', o.number) FROM "order" o JOIN payment_intent i ON i.reference_id = o.id
         WHERE i.amount_fen <> o.total_fen OR (o.paid_at IS NOT NULL AND i.state <> 'succeeded')
            OR o.refunded_fen <> (SELECT coalesce(sum(r.amount_fen), 0) FROM order_refund r
                                   WHERE r.order_id = o.id AND r.state <> 'failed')""",
    "11 refunds never exceed their payment": """
        SELECT format('payment %s: %s of %s', i.out_trade_no, sum(r.amount_fen), i.amount_fen)
          FROM payment_intent i JOIN refund r ON r.intent_id = i.id AND r.state <> 'failed'
         GROUP BY i.id HAVING sum(r.amount_fen) > i.amount_fen OR i.state <> 'succeeded'""",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What the checks found: figures to read, and a line for each violation."""

    figures: dict[str, int]
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return not self.problems


def check_books() -> Report:
    """Run every invariant over the bound brand's books, in one snapshot-like read."""
    problems = [
        f"{name}: {line}" for name, query in CHECKS.items() for line in session().scalars(sa.text(query + " LIMIT 20"))
    ]
    recomputed, differing = _recompute()
    problems += [f"10 computing an order again gives the same fen: {line}" for line in differing]
    return Report({**_figures(), "orders_recomputed": recomputed, "invariants": len(CHECKS) + 1}, problems)


def _figures() -> dict[str, int]:
    tables = ("member", "order", "award", "award_reversal", "posting", "withdrawal")
    counts = {f"{t}s": session().scalar(sa.text(f'SELECT count(*) FROM "{t}"')) or 0 for t in tables}
    open_work = session().scalar(sa.select(sa.func.count()).where(CommissionWork.done_at.is_(None)))
    return {**counts, "open_work": open_work or 0}


def _recompute() -> tuple[int, list[str]]:
    """Compute the newest paid orders again from their frozen facts and compare with what was posted."""
    query = (
        sa.select(CommissionWork)
        .where(CommissionWork.kind == "paid", CommissionWork.done_at.is_not(None))
        .order_by(CommissionWork.id.desc())
        .limit(RECOMPUTED_ORDERS)
    )
    works = session().scalars(query).all()
    posted: dict[object, set[tuple[object, ...]]] = {work.order_id: set() for work in works}
    for award in session().scalars(sa.select(Award).where(Award.order_id.in_(list(posted)))):
        posted[award.order_id].add((award.line_id, award.beneficiary_id, award.rule, award.kind, award.amount_fen))
    differing = []
    for work in works:
        facts = FACTS.validate_python(work.payload["facts"])
        try:
            expected = _expected(facts, work.payload["plan_version_id"])
        except (PluginFailed, LookupError) as error:
            differing.append(f"order {work.order_id}: {error}")
            continue
        if expected != posted[work.order_id]:
            differing.append(f"order {work.order_id}: posted {len(posted[work.order_id])}, computed {len(expected)}")
    return len(works), differing


def _expected(facts: OrderFacts, plan_version_id: str | None) -> set[tuple[object, ...]]:
    if plan_version_id is None:
        return set()
    plan = plugins.get_activation(UUID(plan_version_id))
    result = processing.propose(plan, facts)
    return {(a.line_id, a.beneficiary_id, a.rule, a.kind, a.amount_fen) for a in result.awards}
