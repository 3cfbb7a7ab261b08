"""Any order of events: the books do what a slow, plain model says after each step, and every invariant holds.

`MONEY_EXAMPLES` and `MONEY_STEPS` make the run longer, `MONEY_SEED` makes it another one, `MONEY_CHECK_EVERY=1` checks
every invariant after every step, and `MONEY_SHRINK=1` takes minutes to look for the shortest way to a failure.
"""

from __future__ import annotations

import os

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tenants.promotions import service as promotions
from tenants.shipping import service as shipping
from tests.money.machine import CATALOG, COUPONS, FREIGHTS, Books
from tests.money.parts import Till

EXAMPLES = int(os.environ.get("MONEY_EXAMPLES", "16"))
STEPS = int(os.environ.get("MONEY_STEPS", "50"))
SHRINK = "MONEY_SHRINK" in os.environ
SEED = int(os.environ.get("MONEY_SEED", "20261101"))


@pytest.fixture
def wiped_till(till: Till) -> Till:
    """A till whose brand has the catalogue, set up once: each example deletes what was earned."""
    for sku, (price_fen, category) in CATALOG.items():
        till.product(sku, price_fen=price_fen, stock=100_000, category=category)
    with till.work():
        for code, amount_fen in COUPONS.items():
            promotions.save_coupon(code, amount_fen=amount_fen)
        for code, fee_fen in FREIGHTS.items():
            shipping.save_method(code, name=code, fee_fen=fee_fen)
    till.allow_two_levels()
    return till


def test_the_books_follow_the_model(app: Flask, wiped_till: Till) -> None:
    Books.till = wiped_till
    run_state_machine_as_test(
        seed(SEED)(Books),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if SHRINK else [Phase.generate],
            print_blob=False,
        ),
    )
