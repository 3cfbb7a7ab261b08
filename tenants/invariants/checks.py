"""The invariants of a brand's books (`docs/money.md`), each a query that must find nothing.

They read tables across features and change nothing. What several of them need is added up once, in `SHARED`.
"""

from __future__ import annotations

from tenants.ledger.models import AccountName, PostingKind

_ACCOUNTS = ", ".join(str(int(account)) for account in AccountName)
#: How many violations of one invariant are named.
MOST_LINES = 20
_KINDS = ", ".join(str(int(kind)) for kind in PostingKind)

#: Sums over the whole of the books; each is made by one pass and used by several checks.
SHARED: dict[str, str] = {
    # Everything that was ever posted, by promoter and by what it was; `sealed` is the part that seals cover.
    "moved": """
        SELECT owner_id, kind, debit, credit, CAST(sum(amount_fen) AS bigint) AS fen, min(amount_fen) AS least,
               CAST(coalesce(sum(amount_fen) FILTER (WHERE position <= s.upto), 0) AS bigint) AS sealed,
               count(*) AS rows, count(*) FILTER (WHERE position <= s.upto) AS sealed_rows, max(position) AS newest
          FROM posting, (SELECT coalesce(max(last_position), 0) AS upto FROM seal) s GROUP BY 1, 2, 3, 4""",
    "sums": """
        SELECT owner_id, account, CAST(sum(fen) AS bigint) AS fen, CAST(sum(sealed) AS bigint) AS sealed
          FROM (SELECT owner_id, credit AS account, fen, sealed FROM moved
                UNION ALL SELECT owner_id, debit, -fen, -sealed FROM moved) legs GROUP BY 1, 2""",
    "taken": """
        SELECT award_id, sum(amount_fen) FILTER (WHERE NOT after_release) AS before,
               sum(amount_fen) FILTER (WHERE after_release) AS after FROM award_reversal GROUP BY 1""",
    # All awards, by promoter and by where they wait or waited.
    "placed": """
        SELECT a.beneficiary_id AS owner_id, o.due_at IS NOT NULL AS received,
               CASE WHEN d.order_id IS NULL THEN o.due_at ELSE d.due_at END AS due_at,
               CAST(sum(a.amount_fen) AS bigint) AS awarded, CAST(sum(coalesce(t.before, 0)) AS bigint) AS before,
               CAST(sum(coalesce(t.after, 0)) AS bigint) AS after
          FROM award a LEFT JOIN order_commission o ON o.order_id = a.order_id
          LEFT JOIN release_detour d ON d.order_id = a.order_id AND d.owner_id = a.beneficiary_id
          LEFT JOIN taken t ON t.award_id = a.id GROUP BY 1, 2, 3""",
}

CHECKS: dict[str, str] = {
    # One row is both sides of a posting, so the accounts add up to zero as long as every row has two good sides.
    "1 every posting moves an amount between two accounts": f"""
        SELECT format('%s: kind %s from %s to %s', owner_id, kind, debit, credit) FROM moved
         WHERE least <= 0 OR debit = credit OR (debit <= 10 AND credit <= 10) OR kind NOT IN ({_KINDS})
            OR debit NOT IN ({_ACCOUNTS}) OR credit NOT IN ({_ACCOUNTS})""",
    "1 a stored balance equals the sum of its postings": """
        SELECT format('account %s of %s: stored %s, posted %s', coalesce(b.account, s.account),
                      coalesce(b.owner_id, s.owner_id), b.balance_fen, s.fen)
          FROM balance b FULL JOIN (SELECT owner_id, account, CASE account WHEN 17 THEN -fen ELSE fen END AS fen
                                      FROM sums WHERE account IN (13, 17)) s
               ON s.owner_id = b.owner_id AND s.account = b.account
         WHERE coalesce(b.balance_fen, 0) <> coalesce(s.fen, 0)""",
    "1 the sums behind the figures equal the sealed postings": """
        SELECT format('account %s of %s: noted %s, posted %s', coalesce(a.account, s.account),
                      coalesce(a.owner_id, s.owner_id), a.fen, s.sealed)
          FROM account_sum a FULL JOIN sums s ON s.owner_id = a.owner_id AND s.account = a.account
         WHERE coalesce(a.fen, 0) <> coalesce(s.sealed, 0)""",
    "1 earnings equal the sealed awards and reversals": """
        SELECT format('%s: noted %s and %s taken back, posted %s and %s', coalesce(e.owner_id, m.owner_id),
                      e.earned, e.taken, m.earned, m.taken)
          FROM (SELECT owner_id, sum(earned_fen) FILTER (WHERE period = 'all') AS earned,
                       sum(reversed_fen) FILTER (WHERE period = 'all') AS taken,
                       sum(awards) FILTER (WHERE period = 'all') AS awards,
                       sum(earned_fen) FILTER (WHERE period LIKE 'm:%') AS by_month,
                       sum(earned_fen) FILTER (WHERE period LIKE 'd:%') AS by_day,
                       bool_and(net_fen = earned_fen - reversed_fen) AS net
                  FROM earning GROUP BY 1) e
          FULL JOIN (SELECT owner_id, coalesce(sum(sealed) FILTER (WHERE kind = 1), 0) AS earned,
                            coalesce(sum(sealed) FILTER (WHERE kind = 4), 0) AS taken,
                            coalesce(sum(sealed_rows) FILTER (WHERE kind = 1), 0) AS awards
                       FROM moved WHERE kind IN (1, 4) GROUP BY 1 HAVING sum(sealed_rows) > 0) m
               ON m.owner_id = e.owner_id
         WHERE (e.earned, e.taken, e.awards) IS DISTINCT FROM (m.earned, m.taken, m.awards)
            OR NOT e.net OR e.earned IS DISTINCT FROM e.by_month OR e.earned IS DISTINCT FROM e.by_day""",
    "2 commissions less reversals equal the promoter's accounts": """
        SELECT format('%s: earned %s, in the books %s', coalesce(e.owner_id, s.owner_id), e.fen, -s.fen)
          FROM (SELECT owner_id, sum(awarded - before - after) AS fen FROM placed GROUP BY 1) e
          FULL JOIN (SELECT owner_id, fen FROM sums WHERE account = 1) s ON s.owner_id = e.owner_id
         WHERE coalesce(e.fen, 0) <> -coalesce(s.fen, 0)""",
    "2 what is not received equals the account estimated": """
        SELECT format('%s: awards %s, account %s', coalesce(p.owner_id, s.owner_id), p.fen, s.fen)
          FROM (SELECT owner_id, sum(awarded - before) AS fen, sum(after) AS after
                  FROM placed WHERE NOT received GROUP BY 1) p
          FULL JOIN (SELECT owner_id, fen FROM sums WHERE account = 11) s ON s.owner_id = p.owner_id
         WHERE coalesce(p.fen, 0) <> coalesce(s.fen, 0) OR p.after > 0""",
    "2 a bucket holds what is left of its awards": """
        SELECT format('bucket %s of %s: %s, awards %s', coalesce(b.due_at, p.due_at),
                      coalesce(b.owner_id, p.owner_id), b.amount_fen, p.fen)
          FROM release_bucket b
          FULL JOIN (SELECT owner_id, due_at, awarded - before AS fen, after FROM placed
                      WHERE received AND due_at IS NOT NULL) p ON p.owner_id = b.owner_id AND p.due_at = b.due_at
         WHERE coalesce(b.amount_fen, 0) <> coalesce(p.fen, 0) OR (p.after > 0 AND b.released_at IS NULL)""",
    "2 what waits and what is held equals the account frozen": """
        SELECT format('%s: buckets and holds %s, account %s', coalesce(w.owner_id, s.owner_id), w.fen, s.fen)
          FROM (SELECT owner_id, sum(fen) AS fen FROM (
                    SELECT owner_id, amount_fen AS fen FROM release_bucket WHERE released_at IS NULL
                    UNION ALL SELECT owner_id, awarded - before FROM placed WHERE received AND due_at IS NULL) x
                 GROUP BY 1) w
          FULL JOIN (SELECT owner_id, fen FROM sums WHERE account = 12) s ON s.owner_id = w.owner_id
         WHERE coalesce(w.fen, 0) <> coalesce(s.fen, 0)""",
    "3 no account of a promoter is overdrawn": """
        SELECT format('account %s of %s: %s', account, owner_id, fen) FROM sums
         WHERE account > 10 AND (CASE account WHEN 17 THEN -fen ELSE fen END) < 0""",
    "4 commissions of a line never exceed what was paid for it": """
        SELECT format('line %s: %s of %s', l.id, a.fen, l.paid_fen)
          FROM (SELECT line_id, sum(amount_fen) AS fen FROM award GROUP BY 1) a JOIN order_line l ON l.id = a.line_id
         WHERE a.fen > l.paid_fen""",
    "4 reversals stay within the award and follow the refunds": """
        WITH given AS (SELECT rl.line_id, sum(rl.amount_fen) AS fen FROM order_refund_line rl
                         JOIN order_refund r ON r.refund_id = rl.refund_id WHERE r.state = 'done' GROUP BY 1),
             concerned AS (SELECT a.id FROM order_refund r JOIN award a ON a.order_id = r.order_id
                           UNION SELECT award_id FROM award_reversal)
        SELECT format('award %s: reversed %s of %s', a.id, coalesce(t.before, 0) + coalesce(t.after, 0), a.amount_fen)
          FROM concerned c JOIN award a ON a.id = c.id JOIN order_line l ON l.id = a.line_id
          LEFT JOIN given g ON g.line_id = l.id LEFT JOIN taken t ON t.award_id = a.id
         WHERE coalesce(t.before, 0) + coalesce(t.after, 0)
               <> CASE WHEN l.paid_fen = 0 THEN 0
                       ELSE div(a.amount_fen::numeric * coalesce(g.fen, 0), l.paid_fen) END
           AND NOT EXISTS (SELECT FROM commission_work w WHERE w.order_id = a.order_id)""",
    "4 limits over several orders count what they let through": """
        SELECT format('%s in %s: noted %s, awards %s', coalesce(s.scope_id, c.scope_id), coalesce(s.period, c.period),
                      s.spent_fen, c.fen)
          FROM plan_spending s
          FULL JOIN (SELECT k.scope_id, k.period,
                            sum(a.amount_fen - coalesce(t.before, 0) - coalesce(t.after, 0)) AS fen
                       FROM order_commission o JOIN award a ON a.order_id = o.order_id
                       LEFT JOIN taken t ON t.award_id = a.id
                      CROSS JOIN LATERAL (VALUES (a.beneficiary_id, o.spending->>'day'),
                                                 (o.plan_version_id, o.spending->>'budget_period')) k (scope_id, period)
                      WHERE o.spending IS NOT NULL AND k.period IS NOT NULL GROUP BY 1, 2) c
               ON c.scope_id = s.scope_id AND c.period = s.period
         WHERE coalesce(s.spent_fen, 0) <> coalesce(c.fen, 0)""",
    "5 every frozen order was computed, or waits for it, exactly once": """
        SELECT format('order %s', f.order_id) FROM attribution f
          LEFT JOIN order_commission o ON o.order_id = f.order_id
          LEFT JOIN (SELECT order_id, count(*) AS rows FROM commission_work WHERE kind = 'paid' GROUP BY 1) w
               ON w.order_id = f.order_id
         WHERE (o.computed_at IS NOT NULL)::int + coalesce(w.rows, 0) <> 1""",
    "5 every received order is on its way to the release": """
        SELECT format('order %s', b.number) FROM "order" b
          LEFT JOIN order_commission o ON o.order_id = b.id
         WHERE b.received_at IS NOT NULL AND o.due_at IS NULL
           AND NOT EXISTS (SELECT FROM commission_work w WHERE w.order_id = b.id AND w.kind = 'received')""",
    "6 what is released was due, and was posted once": """
        SELECT format('bucket %s', b.id) FROM release_bucket b LEFT JOIN posting p ON p.source_id = b.id AND p.kind = 3
         WHERE b.released_at < b.due_at OR (p.position IS NOT NULL AND b.released_at IS NULL)
            OR p.amount_fen <> b.amount_fen
        UNION ALL
        SELECT format('%s: released %s, posted %s', coalesce(b.owner_id, m.owner_id), b.fen, m.fen)
          FROM (SELECT owner_id, sum(amount_fen) AS fen FROM release_bucket WHERE released_at IS NOT NULL GROUP BY 1) b
          FULL JOIN (SELECT owner_id, sum(fen) AS fen FROM moved WHERE kind = 3 GROUP BY 1) m ON m.owner_id = b.owner_id
         WHERE coalesce(b.fen, 0) <> coalesce(m.fen, 0)""",
    "7 every withdrawal is held, and then paid or returned exactly once": """
        SELECT format('withdrawal %s (%s)', w.id, w.state)
          FROM withdrawal w LEFT JOIN transfer t ON t.id = w.transfer_id
         CROSS JOIN LATERAL (SELECT
            coalesce(sum(amount_fen) FILTER (WHERE kind = 6), 0) AS hold,
            coalesce(sum(amount_fen) FILTER (WHERE kind = 7), 0) AS paid,
            coalesce(sum(amount_fen) FILTER (WHERE kind = 8 AND part = 0), 0) AS returned,
            coalesce(sum(amount_fen) FILTER (WHERE kind = 8 AND part > 0), 0) AS undone,
            coalesce(sum(amount_fen) FILTER (WHERE kind = 9), 0) AS tax,
            coalesce(sum(amount_fen) FILTER (WHERE kind = 10), 0) AS fee
            FROM posting WHERE source_id = w.id) p
         CROSS JOIN LATERAL (SELECT w.state IN ('paid', 'returned') AS was_paid,
            -- Of a payout that came back later, the tax that had gone to the payee before does not go again.
            w.amount_fen - (SELECT coalesce(sum(c.amount_fen), 0) FROM tax_correction c
                             WHERE c.withdrawal_id = w.id AND w.state = 'returned') AS back) x
         WHERE p.hold <> w.amount_fen OR w.amount_fen <> w.net_fen + w.tax_fen + w.fee_fen
            OR (p.paid, p.tax, p.fee) <> (CASE WHEN x.was_paid THEN w.net_fen ELSE 0 END,
                CASE WHEN x.was_paid THEN w.tax_fen ELSE 0 END, CASE WHEN x.was_paid THEN w.fee_fen ELSE 0 END)
            OR p.returned <> CASE WHEN w.state IN ('rejected', 'failed', 'returned') THEN x.back ELSE 0 END
            OR p.undone <> CASE w.state WHEN 'returned' THEN x.back ELSE 0 END
            OR t.amount_fen <> w.net_fen OR (w.state = 'paid') <> (t.state = 'paid')""",
    "7 tax given back stands in the books, and was withheld before": """
        SELECT format('correction %s', coalesce(c.id, p.source_id)) FROM tax_correction c
          FULL JOIN (SELECT * FROM posting WHERE kind = 13) p ON p.source_id = c.id
         WHERE (c.amount_fen, c.member_id) IS DISTINCT FROM (p.amount_fen, p.owner_id)
        UNION ALL
        SELECT format('withdrawal %s (%s): %s of %s given back', w.id, w.state, sum(c.amount_fen), w.tax_fen)
          FROM tax_correction c JOIN withdrawal w ON w.id = c.withdrawal_id GROUP BY w.id
        HAVING sum(c.amount_fen) > w.tax_fen OR w.state NOT IN ('paid', 'returned')
            OR bool_or((c.member_id, c.tax_month) <> (w.member_id, w.tax_month))""",
    "7 every debt given up stands in the books": """
        SELECT format('write-off %s', d.id) FROM debt_write_off d
          FULL JOIN (SELECT * FROM posting WHERE kind = 11) p ON p.source_id = d.id
         WHERE (d.amount_fen, d.member_id) IS DISTINCT FROM (p.amount_fen, p.owner_id)""",
    "9 the relations form no circle and ancestors follow the parent": """
        SELECT format('member %s', m.id) FROM member m LEFT JOIN member p ON p.id = m.parent_id
         WHERE m.id = ANY (m.ancestors)
            OR m.ancestors <> CASE WHEN m.parent_id IS NULL THEN '{}' ELSE p.id || p.ancestors END""",
    "9 every paid order has its attribution frozen": """
        SELECT format('order %s', o.number) FROM "order" o LEFT JOIN attribution f ON f.order_id = o.id
         WHERE (o.paid_at IS NOT NULL) <> (f.order_id IS NOT NULL)""",
    "10 every award stands in the books with its amount": """
        SELECT format('award %s', a.id) FROM award a LEFT JOIN posting p ON p.source_id = a.id AND p.kind = 1
         WHERE (p.amount_fen, p.owner_id) IS DISTINCT FROM (a.amount_fen, a.beneficiary_id)""",
    "10 every posted reward of a month stands in the books once": """
        SELECT format('reward %s of %s', l.id, r.month) FROM period_line l JOIN period_run r ON r.id = l.run_id
          LEFT JOIN award a ON a.id = l.award_id
         WHERE CASE WHEN l.award_id IS NULL THEN r.state = 'posted' AND l.reason IS NULL
                    ELSE r.state NOT IN ('posting', 'posted')
                         OR (a.order_id, a.line_id, a.plan_version_id, a.beneficiary_id, a.rule, a.amount_fen, a.kind)
                            IS DISTINCT FROM
                            (r.id, r.id, r.plan_version_id, l.member_id, l.rule, l.amount_fen, 'period') END
        UNION ALL
        SELECT format('award %s', a.id) FROM award a
         WHERE a.kind = 'period' AND NOT EXISTS (SELECT FROM period_line l WHERE l.award_id = a.id)
        UNION ALL
        SELECT format('month %s: %s of %s posted', r.month, r.posted, count(l.id)) FROM period_run r
          LEFT JOIN period_line l ON l.run_id = r.id AND l.award_id IS NOT NULL
         GROUP BY r.id HAVING r.posted <> count(l.id)""",
    "10 postings are numbered without gaps": """
        SELECT format('%s postings, the newest is number %s', sum(rows), max(newest)) FROM moved
        HAVING sum(rows) <> max(newest)""",
    "11 every posting is of a member of this brand": """
        SELECT format('%s', p.owner_id) FROM (SELECT DISTINCT owner_id FROM moved) p
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


def statement() -> str:
    """Return one statement that answers with (check, what it found) for all checks, so that they share their sums."""
    shared = ", ".join(f"{name} AS MATERIALIZED ({query})" for name, query in SHARED.items())
    found = " UNION ALL ".join(
        f"SELECT CAST({_quoted(name)} AS text), line FROM (SELECT * FROM ({query}) q LIMIT {MOST_LINES}) f (line)"
        for name, query in CHECKS.items()
    )
    return f"WITH {shared} {found}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
