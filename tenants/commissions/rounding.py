"""The arithmetic of fen: splitting without a rest, and taking back in steps that add up."""

from __future__ import annotations

from collections.abc import Sequence


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` fen by `weights` with largest remainder; the parts always add up to `total`.

    Ties go to the earlier part. Not monotone in `total`, so a split is made once and frozen. Raises ValueError where
    all weights are zero.
    """
    weight = sum(weights)
    if weight <= 0:
        raise ValueError("there is nothing to split by")
    parts = [total * w // weight for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % weight), i))
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts


def reversed_to_date(amount_fen: int, *, paid_fen: int, refunded_fen: int) -> int:
    """Return how much of an award is taken back once `refunded_fen` of its line's `paid_fen` were refunded.

    The reversal of one refund is the difference of two calls: independent of how refunds were cut, never more
    than the award, and all of it on a full refund.
    """
    return amount_fen * refunded_fen // paid_fen if paid_fen else 0
