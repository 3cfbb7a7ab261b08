"""WeChat's doors: who asks is verified, what is answered is signed, and faults strike in between."""

import hmac
import json
import re
import secrets
import time
from typing import Any

from flask import Blueprint, Flask, Response, g, request

from fanyong.wechat.simulator import bills, faults, login, orders, refunds, transfers
from fanyong.wechat.simulator.crypto import SIGNATURE_TYPE, Platform, is_signed_by
from fanyong.wechat.simulator.errors import ApiError, param_error
from fanyong.wechat.simulator.notifications import Notifier
from fanyong.wechat.simulator.store import Database, Merchant, Store, find_merchant

WINDOW_SECONDS = 300
_AUTHORIZATION = re.compile(r'(\w+)="([^"]*)"')


class Simulator:
    """The parts that the doors share."""

    def __init__(self, store: Store, platform: Platform, notifier: Notifier) -> None:
        self.store = store
        self.platform = platform
        self.notifier = notifier


def json_answer(data: Any, status: int = 200) -> Response:
    """Return `data` as a JSON answer."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Response(body, status=status, content_type="application/json; charset=utf-8")


def install(app: Flask, simulator: Simulator) -> None:
    """Put verification, faults and signatures around the doors, and the doors into the app."""

    @app.before_request
    def admit() -> Response | None:
        if request.path.startswith("/_sim/"):
            return None
        fields = _authorization()
        with simulator.store.transaction() as db:
            mchid = fields.get("mchid") or _mchid_of_appid(db, request.args.get("appid", ""))
            fault = g.fault = faults.take(db, path=request.path, mchid=mchid)
        if fault is not None and fault.kind == "error":
            raise ApiError(fault.status, fault.code, "a fault that was asked for")
        if fault is not None and fault.kind == "hang_before":
            time.sleep(fault.seconds)
            faults.cut_connection()
            return Response(status=503)
        if request.path.startswith("/v3/"):
            with simulator.store.transaction() as db:
                g.merchant = _authenticate(db, fields)
            _check_serial(simulator.platform)
        return None

    @app.after_request
    def seal(response: Response) -> Response:
        if request.path.startswith("/_sim/"):
            return response
        simulator.notifier.wake()
        fault: faults.Fault | None = g.get("fault")
        kind = fault.kind if fault else ""
        if fault is not None and kind in {"late", "hang_after"}:
            time.sleep(fault.seconds)
        if kind in {"hang_after", "drop_answer"}:
            faults.cut_connection()
        response.headers["Request-ID"] = secrets.token_hex(16).upper()
        body = response.get_data()
        signed = b"something else" if kind == "bad_signature" else body
        response.headers.update(simulator.platform.signature_headers(signed))
        return response

    app.register_blueprint(_doors(simulator))


def _doors(simulator: Simulator) -> Blueprint:
    doors = Blueprint("wire", __name__)
    store = simulator.store

    @doors.get("/sns/jscode2session")
    def session() -> Response:
        with store.transaction() as db:
            return json_answer(login.exchange(db, request.args))

    @doors.post("/v3/pay/transactions/jsapi")
    def place() -> Response:
        with store.transaction() as db:
            return json_answer(orders.place(db, g.merchant, request.get_data()))

    @doors.get("/v3/pay/transactions/<any('out-trade-no', 'id'):by>/<number>")
    def query_order(by: str, number: str) -> Response:
        name = "transaction_id" if by == "id" else "out_trade_no"
        with store.transaction() as db:
            return json_answer(orders.query(db, g.merchant, mchid=_argument("mchid"), **{name: number}))

    @doors.post("/v3/pay/transactions/out-trade-no/<number>/close")
    def close(number: str) -> Response:
        with store.transaction() as db:
            orders.close(db, g.merchant, number, request.get_data())
        return Response(status=204)

    @doors.post("/v3/refund/domestic/refunds")
    def refund() -> Response:
        with store.transaction() as db:
            return json_answer(refunds.request(db, g.merchant, request.get_data()))

    @doors.get("/v3/refund/domestic/refunds/<number>")
    def query_refund(number: str) -> Response:
        with store.transaction() as db:
            return json_answer(refunds.query(db, g.merchant, number))

    _transfer_doors(doors, simulator)
    _bill_doors(doors, store)
    return doors


def _transfer_doors(doors: Blueprint, simulator: Simulator) -> None:
    base = "/v3/fund-app/mch-transfer/transfer-bills"
    store = simulator.store

    @doors.post(base)
    def create_transfer() -> Response:
        serial = request.headers.get("Wechatpay-Serial", "")
        with store.transaction() as db:
            answer = transfers.create(db, g.merchant, request.get_data(), platform=simulator.platform, serial=serial)
        return json_answer(answer)

    @doors.get(base + "/<any('out-bill-no', 'transfer-bill-no'):by>/<number>")
    def query_transfer(by: str, number: str) -> Response:
        with store.transaction() as db:
            return json_answer(transfers.query(db, g.merchant, **{by.replace("-", "_"): number}))

    @doors.post(base + "/out-bill-no/<number>/cancel")
    def cancel_transfer(number: str) -> Response:
        with store.transaction() as db:
            return json_answer(transfers.cancel(db, g.merchant, number))


def _bill_doors(doors: Blueprint, store: Store) -> None:
    @doors.get("/v3/bill/tradebill")
    def trade_bill() -> Response:
        with store.transaction() as db:
            answer = bills.trade_bill(
                db,
                g.merchant,
                day=_argument("bill_date"),
                bill_type=request.args.get("bill_type", "ALL"),
                tar_type=request.args.get("tar_type", ""),
                host=request.host_url.rstrip("/"),
            )
        return json_answer(answer)

    @doors.get("/v3/bill/fundflowbill")
    def fund_bill() -> Response:
        with store.transaction() as db:
            answer = bills.fund_bill(
                db,
                g.merchant,
                day=_argument("bill_date"),
                account_type=request.args.get("account_type", "BASIC"),
                tar_type=request.args.get("tar_type", ""),
                host=request.host_url.rstrip("/"),
            )
        return json_answer(answer)

    @doors.get("/v3/billdownload/file")
    def bill_file() -> Response:
        with store.transaction() as db:
            content = bills.download(db, g.merchant, _argument("token"))
        return Response(content, content_type="application/octet-stream")


def _authorization() -> dict[str, str]:
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    return dict(_AUTHORIZATION.findall(rest)) if scheme == SIGNATURE_TYPE else {}


def _authenticate(db: Database, fields: dict[str, str]) -> Merchant:
    merchant = find_merchant(db, fields.get("mchid", ""))
    if merchant is None:
        raise _sign_error("no such merchant, or no signature")
    if not hmac.compare_digest(fields.get("serial_no", "").encode(), merchant.cert_serial_no.encode()):
        raise _sign_error("the certificate's serial number is not the merchant's")
    timestamp, nonce = fields.get("timestamp", ""), fields.get("nonce_str", "")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > WINDOW_SECONDS:
        raise _sign_error("the timestamp is more than five minutes off")
    # The target as it came over the wire: a decoded path would not fit the signature.
    target = request.environ["RAW_URI"]
    message = f"{request.method}\n{target}\n{timestamp}\n{nonce}\n".encode() + request.get_data() + b"\n"
    if not is_signed_by(merchant.public_key_pem, signature=fields.get("signature", ""), message=message):
        raise _sign_error("the signature does not match")
    _use_nonce(db, merchant.mchid, nonce)
    return merchant


def _use_nonce(db: Database, mchid: str, nonce: str) -> None:
    now = int(time.time())
    db.execute("DELETE FROM nonces WHERE at < ?", (now - 2 * WINDOW_SECONDS,))
    added = db.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?, ?)", (mchid, nonce, now))
    if not nonce or added.rowcount == 0:
        raise _sign_error("the nonce was used before")


def _check_serial(platform: Platform) -> None:
    serial = request.headers.get("Wechatpay-Serial")
    if serial is not None and serial != platform.public_key_id:
        raise param_error("Wechatpay-Serial: not WeChat's public key")


def _mchid_of_appid(db: Database, appid: str) -> str:
    row = db.execute("SELECT mchid FROM merchants WHERE appid = ?", (appid,)).fetchone()
    return row["mchid"] if row else ""


def _argument(name: str) -> str:
    value = request.args.get(name)
    if not value:
        raise param_error(f"{name} is missing")
    return value


def _sign_error(message: str) -> ApiError:
    return ApiError(401, "SIGN_ERROR", message)
