"""A promoter's statements by month, as JSON and as files."""

from __future__ import annotations

from flask import Response

from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from fanyong.web.csv_export import csv_response
from fanyong.web.paging import PER_PAGE
from fanyong.web.pdf import pdf_response
from tenants.api.auth import current_member
from tenants.api.blueprint import bp
from tenants.api.operations import operation
from tenants.api.schemas import statements as schemas
from tenants.api.schemas.common import PageQuery
from tenants.api.texts import mark as _
from tenants.statements import promoter, promoter_documents
from tenants.statements.documents import Preparation
from tenants.statements.promoter import Line, NoSuchMonth, PromoterStatement, StatementTooLong
from tenants.statements.words import MOVEMENTS


@bp.get("/promoter/statements")
@operation(tag="promoter", summary=_("The months of my statements"), answers={200: schemas.StatementMonths})
def list_statements() -> schemas.StatementMonths:
    """Return the months that the member has statements of."""
    return schemas.StatementMonths(months=promoter.months_of(current_member().id))


@bp.get("/promoter/statements/<month>")
@operation(
    tag="promoter",
    summary=_("My statement of a month"),
    description=_("What stood there, every movement with the balances after it, and what stands there at the end."),
    answers={200: schemas.MonthStatement},
    raises=(NoSuchMonth, StatementTooLong),
)
def get_statement(month: str, query: PageQuery) -> schemas.MonthStatement:
    """Return a page of the member's statement of a month."""
    statement = promoter.statement_of(current_member().id, month)
    count = len(statement.lines)
    shown = statement.lines[(query.page - 1) * PER_PAGE : query.page * PER_PAGE]
    return schemas.MonthStatement(
        items=[_line(line, statement) for line in shown],
        page=query.page,
        pages=max(1, -(-count // PER_PAGE)),
        total=count,
        month=month,
        is_over=statement.is_over,
        opening=schemas.MonthBalances.model_validate(statement.opening),
        closing=schemas.MonthBalances.model_validate(statement.closing),
    )


@bp.get("/promoter/statements/<month>/file")
@operation(
    tag="promoter",
    summary=_("My statement of a month as a file"),
    description=_("A PDF to keep, or a CSV file for spreadsheets, in the language of Accept-Language."),
    answers={200: None},
    raises=(NoSuchMonth, StatementTooLong),
)
def get_statement_file(month: str, query: schemas.StatementFileQuery) -> Response:
    """Return the member's statement of a month as a file."""
    statement, name = promoter.statement_of(current_member().id, month), f"statement-{month}"
    if query.format == "csv":
        header, rows = promoter_documents.promoter_csv(statement)
        return csv_response(name, header=header, rows=rows)
    made = Preparation(brand=current_tenant().name, by=current_tenant().name, at=brand_now())
    return pdf_response(name, promoter_documents.promoter_document(statement, made))


def _line(line: Line, statement: PromoterStatement) -> schemas.MonthLine:
    return schemas.MonthLine.model_validate(
        {
            "position": line.position,
            "at": line.at,
            "kind": line.kind.word,
            "text": str(MOVEMENTS[line.kind]),
            "number": promoter_documents.number_of(statement.references.get(line.source_id)),
            "amount_fen": line.amount_fen,
            "change_fen": line.change_fen,
            "after": line.after,
        }
    )
