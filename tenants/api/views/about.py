"""The published document, and a page that shows it."""

from __future__ import annotations

from flask import Response, jsonify, render_template

from tenants.api.blueprint import bp
from tenants.api.document import document
from tenants.api.operations import operation
from tenants.api.pages import chapters, glossary
from tenants.api.texts import mark as _


@bp.get("/openapi.json")
@operation(tag="about", summary=_("This interface as an OpenAPI document"), answers={200: None}, member=False)
def openapi() -> Response:
    """Return the document."""
    return jsonify(document())


@bp.get("/docs")
@operation(tag="about", summary=_("This interface as a page to read"), answers={200: None}, member=False)
def docs() -> str:
    """Show the document."""
    published = document()
    return render_template(
        "api/docs.html", info=published["info"], chapters=chapters(published), glossary=glossary(published)
    )
