"""The control routes: they play the shopper, the promoter, time, the network and the attacker.

Unsigned JSON, answered only to this machine. Doing the same thing twice changes nothing.
"""

import ipaddress
from typing import Annotated, Any, Literal, TypeVar

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fanyong.wechat.simulator import (
    accounts,
    forge,
    ledger,
    login,
    orders,
    refunds,
    transfers,
)
from fanyong.wechat.simulator.crypto import load_rsa_public_key
from fanyong.wechat.simulator.errors import ControlError
from fanyong.wechat.simulator.store import Database, Merchant, find_merchant
from fanyong.wechat.simulator.wire import Simulator, json_answer

# More than any story needs, and far from where calendars end.
MAX_OFFSET_SECONDS = 20 * 366 * 86_400
Seconds = Annotated[float, Field(ge=0, le=3600)]
Word = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{3,64}$")]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class Input(BaseModel):
    """A control request: exact types, and no field that is not known."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class MerchantInput(Input):
    appid: Word
    app_secret: Name
    apiv3_key: Annotated[str, Field(pattern=r"^[!-~]{32}$")]
    cert_serial_no: Word
    public_key_pem: str
    # Set by whoever made the number up, lest it takes over somebody else's merchant.
    only_if_new: bool = False

    @field_validator("public_key_pem")
    @classmethod
    def _is_a_key(cls, pem: str) -> str:
        load_rsa_public_key(pem)
        return pem


class FundsInput(Input):
    account: Literal["basic", "operation"]
    balance_fen: Annotated[int, Field(ge=0, le=10**14)]


class LoginInput(Input):
    appid: Word
    user: Name


class PayInput(Input):
    payer_openid: Name | None = None
    amount_fen: Annotated[int, Field(ge=1, le=10**10)] | None = None
    times: Annotated[int, Field(ge=1, le=100)] = 1
    notify: bool = True


class TransferInput(Input):
    action: Literal["confirm", "expire", "fail", "cancel"]


class RefundInput(Input):
    action: Literal["succeed", "abnormal", "close"]


class ClockInput(Input):
    offset_seconds: Annotated[int, Field(ge=-MAX_OFFSET_SECONDS, le=MAX_OFFSET_SECONDS)]


class CallbacksInput(Input):
    mode: Literal["normal", "never", "repeat", "delay", "reverse"]
    times: Annotated[int, Field(ge=1, le=100)] = 2
    seconds: Seconds = 2.0


class RefundsInput(Input):
    mode: Literal["at_once", "manual", "delay"]
    seconds: Seconds = 2.0


class FaultInput(Input):
    match: Annotated[str, Field(pattern=r"^/(v3|sns)/", max_length=200)]
    mchid: Word | None = None
    kind: Literal["error", "hang_before", "hang_after", "drop_answer", "bad_signature", "late"]
    status: Annotated[int, Field(ge=400, le=599)] = 500
    code: Word = "SYSTEM_ERROR"
    seconds: Seconds | None = None
    times: Annotated[int, Field(ge=1, le=1000)] = 1


class ForgeInput(Input):
    mchid: Word
    kind: Literal[
        "bad_signature",
        "stale",
        "wrong_key",
        "foreign_merchant",
        "amount_changed",
        "unknown_serial",
        "signature_probe",
    ]
    event: Literal["TRANSACTION.SUCCESS", "REFUND.SUCCESS", "MCHTRANSFER.BILL.FINISHED"] = "TRANSACTION.SUCCESS"
    number: Name
    url: Annotated[str, Field(pattern=r"^https?://", max_length=255)] | None = None


Given = TypeVar("Given", bound=Input)


def control_routes(simulator: Simulator) -> Blueprint:
    """Return the control routes."""
    control = Blueprint("control", __name__, url_prefix="/_sim")

    @control.before_request
    def only_from_here() -> None:
        address = ipaddress.ip_address(request.remote_addr or "0.0.0.0")
        if not address.is_loopback:
            raise ControlError("the control routes answer this machine only", status=403)

    @control.after_request
    def wake(response: Response) -> Response:
        simulator.notifier.wake()
        return response

    @control.get("/health")
    def health() -> Response:
        return json_answer({"ok": True})

    @control.get("/platform-key")
    def platform_key() -> Response:
        return json_answer(_platform_key(simulator))

    _merchant_routes(control, simulator)
    _people_routes(control, simulator)
    _mode_routes(control, simulator)
    _fault_routes(control, simulator)
    return control


def _merchant_routes(control: Blueprint, simulator: Simulator) -> None:
    store = simulator.store

    @control.put("/merchants/<mchid>")
    def register(mchid: str) -> Response:
        if not (mchid.isascii() and mchid.isdigit() and 6 <= len(mchid) <= 32):
            raise ControlError("mchid: 6 to 32 digits")
        given = _input(MerchantInput).model_dump()
        only_if_new = given.pop("only_if_new")
        names = ", ".join(["mchid", *given])
        marks = ", ".join("?" * (len(given) + 1))
        updates = ", ".join(f"{name} = excluded.{name}" for name in given)
        statement = f"INSERT INTO merchants ({names}) VALUES ({marks})"
        with store.transaction() as db:
            if only_if_new and find_merchant(db, mchid) is not None:
                raise ControlError("the number is taken", status=409)
            db.execute(f"{statement} ON CONFLICT (mchid) DO UPDATE SET {updates}", (mchid, *given.values()))
            accounts.open_accounts(db, _merchant(db, mchid))
        return json_answer(_platform_key(simulator))

    @control.get("/merchants/<mchid>/ledger")
    def show_ledger(mchid: str) -> Response:
        with store.transaction() as db:
            return json_answer(ledger.ledger(db, _merchant(db, mchid)))

    @control.get("/merchants/<mchid>/notifications")
    def show_notifications(mchid: str) -> Response:
        with store.transaction() as db:
            return json_answer(ledger.deliveries(db, _merchant(db, mchid)))

    @control.put("/merchants/<mchid>/funds")
    def set_funds(mchid: str) -> Response:
        given = _input(FundsInput)
        with store.transaction() as db:
            merchant = _merchant(db, mchid)
            accounts.set_balance(db, merchant, account=given.account, balance_fen=given.balance_fen)
        return json_answer({"account": given.account, "balance_fen": given.balance_fen})


def _people_routes(control: Blueprint, simulator: Simulator) -> None:
    store = simulator.store

    @control.post("/login")
    def give_code() -> Response:
        given = _input(LoginInput)
        with store.transaction() as db:
            return json_answer(login.give_code(db, appid=given.appid, user=given.user))

    @control.post("/payments/<prepay_id>")
    def pay(prepay_id: str) -> Response:
        given = _input(PayInput)
        with store.transaction() as db:
            row = db.execute("SELECT mchid FROM prepays WHERE prepay_id = ?", (prepay_id,)).fetchone()
            if row is None:
                raise ControlError("there is no such prepay id", status=404)
            return json_answer(orders.pay(db, prepay_id, merchant=_merchant(db, row["mchid"]), **given.model_dump()))

    @control.post("/transfers/<mchid>/<out_bill_no>")
    def act_on_transfer(mchid: str, out_bill_no: str) -> Response:
        given = _input(TransferInput)
        with store.transaction() as db:
            return json_answer(transfers.act(db, _merchant(db, mchid), out_bill_no, action=given.action))

    @control.post("/refunds/<mchid>/<out_refund_no>")
    def act_on_refund(mchid: str, out_refund_no: str) -> Response:
        given = _input(RefundInput)
        with store.transaction() as db:
            return json_answer(refunds.settle(db, _merchant(db, mchid), out_refund_no, action=given.action))


def _mode_routes(control: Blueprint, simulator: Simulator) -> None:
    store = simulator.store

    @control.put("/clocks/<mchid>")
    def set_clock(mchid: str) -> Response:
        offset = _input(ClockInput).offset_seconds
        with store.transaction() as db:
            _merchant(db, mchid)
            db.execute("UPDATE merchants SET offset_seconds = ? WHERE mchid = ?", (offset, mchid))
            transfers.expire_due(db)
        return json_answer({"offset_seconds": offset})

    @control.put("/callbacks-mode/<mchid>")
    def set_callbacks_mode(mchid: str) -> Response:
        given = _input(CallbacksInput)
        value = {"repeat": float(given.times), "delay": given.seconds}.get(given.mode, 0.0)
        with store.transaction() as db:
            _merchant(db, mchid)
            db.execute(
                "UPDATE merchants SET callbacks_mode = ?, callbacks_value = ? WHERE mchid = ?",
                (given.mode, value, mchid),
            )
        return json_answer(given.model_dump())

    @control.put("/refunds-mode/<mchid>")
    def set_refunds_mode(mchid: str) -> Response:
        given = _input(RefundsInput)
        with store.transaction() as db:
            _merchant(db, mchid)
            db.execute(
                "UPDATE merchants SET refunds_mode = ?, refunds_value = ? WHERE mchid = ?",
                (given.mode, given.seconds, mchid),
            )
        return json_answer(given.model_dump())


def _fault_routes(control: Blueprint, simulator: Simulator) -> None:
    store = simulator.store

    @control.get("/faults")
    def list_faults() -> Response:
        with store.transaction() as db:
            return json_answer([dict(row) for row in db.execute("SELECT * FROM faults ORDER BY id")])

    @control.put("/faults")
    def add_fault() -> Response:
        given = _input(FaultInput).model_dump()
        if given["seconds"] is None:
            given["seconds"] = 2.0 if given["kind"] == "late" else 30.0
        names = ", ".join(given)
        marks = ", ".join("?" * len(given))
        with store.transaction() as db:
            db.execute(f"INSERT INTO faults ({names}) VALUES ({marks})", tuple(given.values()))
        return json_answer(given)

    @control.delete("/faults")
    def drop_faults() -> Response:
        with store.transaction() as db:
            db.execute("DELETE FROM faults")
        return json_answer([])

    @control.post("/forge")
    def forge_callback() -> Response:
        given = _input(ForgeInput)
        with store.transaction() as db:
            merchant = _merchant(db, given.mchid)
            event, url = forge.prepare(db, merchant, kind=given.kind, event=given.event, number=given.number)
        # Sent outside the transaction: the receiver may well ask the simulator something first.
        status = forge.send(simulator.platform, merchant, kind=given.kind, event=event, url=given.url or url)
        return json_answer({"status": status, "event_id": event["id"]})


def _platform_key(simulator: Simulator) -> dict[str, str]:
    platform = simulator.platform
    return {"public_key_pem": platform.public_pem, "public_key_id": platform.public_key_id}


def _merchant(db: Database, mchid: str) -> Merchant:
    merchant = find_merchant(db, mchid)
    if merchant is None:
        raise ControlError("no merchant is registered with this number", status=404)
    return merchant


def _input(model: type[Given]) -> Given:
    raw = request.get_data() or b"{}"
    # A page in a browser could post a form here; it cannot send this content type unasked.
    if request.mimetype != "application/json":
        raise ControlError("Content-Type: application/json is required")
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise ControlError("; ".join(_explain(problem) for problem in error.errors())) from None


def _explain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "body"
    return f"{where}: {problem['msg']}"
