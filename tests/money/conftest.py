"""What the tests of money share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from tests.money.parts import Till, open_till

if TYPE_CHECKING:
    from tests.conftest import Brand


@pytest.fixture
def till(app: Flask, brand: Brand) -> Till:
    """A fresh brand's till."""
    return open_till(app, brand.tenant)


@pytest.fixture
def other_till(app: Flask, other_brand: Brand) -> Till:
    """Another fresh brand's till."""
    return open_till(app, other_brand.tenant)


@pytest.fixture
def new_till(app: Flask, new_brand: Callable[..., Brand]) -> Callable[[], Till]:
    """Open the till of one more fresh brand."""
    return lambda: open_till(app, new_brand().tenant)
