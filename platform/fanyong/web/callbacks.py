"""The door for the payment provider: verify, keep, apply, commit, 204."""

from __future__ import annotations

import logging

from flask import Blueprint, request
from werkzeug.wrappers import Response

from fanyong.payments import flows
from fanyong.payments.provider import InvalidProviderCallback

log = logging.getLogger(__name__)
bp = Blueprint("callbacks", __name__, url_prefix="/callbacks")
MAX_BYTES = 64 * 1024


@bp.post("/wechat/<tenant_hex>")
def wechat(tenant_hex: str) -> Response:
    """Take a callback of WeChat Pay; anything but 204 makes WeChat repeat it."""
    if (request.content_length or 0) > MAX_BYTES:
        return Response(status=413)
    try:
        outcome = flows.receive_callback(dict(request.headers), request.get_data())
    except InvalidProviderCallback as error:
        log.warning("a callback for %s was refused: %s", tenant_hex, error)
        return Response('{"code": "FAIL", "message": "invalid"}', status=401, content_type="application/json")
    log.info("a callback for %s: %s", tenant_hex, outcome)
    return Response(status=204)
