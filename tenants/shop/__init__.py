"""The page that a brand's host shows to a browser."""

from __future__ import annotations

from flask import Blueprint

from tenants.shop.views import bp


def blueprint() -> Blueprint:
    """Return the shop's blueprint."""
    return bp
