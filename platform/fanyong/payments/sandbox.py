"""The sandbox of a new brand: a merchant account on the simulator, with keys of its own."""

from __future__ import annotations

import logging

import httpx
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from fanyong.errors import FanyongError, TemporarilyUnavailable
from fanyong.payments.models import MerchantAccount
from fanyong.payments.provider import active_account
from fanyong.tenancy import clock
from fanyong.tenancy.database import session, unit_of_work
from fanyong.wechat.credentials import Credentials
from fanyong.wechat.simulator.client import SimulatorClient, SimulatorRefused

log = logging.getLogger(__name__)
#: Whether `open_sandbox` has something to do.
SANDBOX_MISSING = "NOT EXISTS (SELECT FROM merchant_account)"


class NotASandbox(FanyongError):
    code = "not_a_sandbox"
    status = 409
    message = _l("Only a brand in the sandbox has a test clock.")


_simulator_url: list[str] = []


def use_simulator(url: str) -> None:
    """Set where the simulator answers; called once when the app is made."""
    _simulator_url[:] = [url]


def open_sandbox() -> int:
    """Give the bound brand a sandbox account when it has no account at all; returns 1 when it did."""
    with unit_of_work():
        if session().scalar(sa.select(sa.func.count()).select_from(MerchantAccount)):
            return 0
    try:
        with SimulatorClient(_simulator_url[0], timeout=5) as simulator:
            keys = simulator.open_merchant()
    except (httpx.HTTPError, SimulatorRefused, ValueError) as error:
        log.warning("the simulator did not open a sandbox: %s", error)
        return 0
    with unit_of_work():
        # Two openings at once are harmless: the first one counts.
        session().execute(insert(MerchantAccount).values(_row(keys)).on_conflict_do_nothing())
    return 1


def move_clock(*, offset_seconds: int, actor: str) -> None:
    """Move the bound sandbox brand's clock, and the simulator's for its merchant, to an absolute offset.

    Raises NotASandbox, ClockRunsForward, or TemporarilyUnavailable when the simulator is away; saying it again is safe.
    """
    with unit_of_work():
        account = active_account()
        if account is None or account.mode != "sandbox":
            raise NotASandbox
        clock.set_test_clock(offset_seconds=offset_seconds, actor=actor)
    try:
        with SimulatorClient(_simulator_url[0], timeout=5) as simulator:
            simulator.set_clock(account.mchid, offset_seconds=offset_seconds)
    except (httpx.HTTPError, SimulatorRefused) as error:
        raise TemporarilyUnavailable from error


def is_sandbox() -> bool:
    """Return whether the bound brand plays with the simulator's money, or has no account yet."""
    account = active_account()
    return account is None or account.mode == "sandbox"


def _row(keys: Credentials) -> dict[str, object]:
    return {
        "mode": "sandbox",
        "active": True,
        "appid": keys.appid,
        "app_secret": keys.app_secret,
        "mchid": keys.mchid,
        "private_key_pem": keys.private_key_pem,
        "cert_serial_no": keys.cert_serial_no,
        "apiv3_key": keys.apiv3_key,
        "public_key_pem": keys.public_key_pem,
        "public_key_id": keys.public_key_id,
    }
