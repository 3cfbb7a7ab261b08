"""A brand to promote in."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.conftest import Brand
from tests.money.parts import Till, open_till


@pytest.fixture
def till(app: Flask, brand: Brand) -> Till:
    """A fresh brand's till."""
    return open_till(app, brand.tenant)
