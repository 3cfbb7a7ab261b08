"""The books: what the brand owes its promoters, and the proof that they are right."""

from __future__ import annotations

from dataclasses import asdict

from flask import jsonify, render_template, request
from flask.typing import ResponseReturnValue

from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from tenants.console.base import bp
from tenants.invariants.service import check_books
from tenants.ledger import service as ledger


@bp.get("/books")
@requires(Permission.LEDGER_READ)
def books() -> ResponseReturnValue:
    """Show the sums of all promoters' accounts, and on demand the result of the checks."""
    report = check_books() if request.args.get("check") else None
    return render_template("console/books.html", totals=asdict(ledger.totals()), report=report)


@bp.post("/ledger/check")
@requires(Permission.LEDGER_READ)
def check_ledger() -> ResponseReturnValue:
    """Run every check of the books and answer with the result as JSON."""
    report = check_books()
    return jsonify(ok=report.ok, figures=report.figures, problems=report.problems)
