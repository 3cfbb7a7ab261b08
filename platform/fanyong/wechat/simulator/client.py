"""A client of the simulator's control routes, for setting up sandboxes, stories and tests."""

import functools
import secrets
import ssl
from types import TracebackType
from typing import Any, Self

import httpx

from fanyong.wechat.credentials import Credentials
from fanyong.wechat.keys import make_apiv3_key, make_cert_serial, make_rsa_key_pair


class SimulatorRefused(Exception):
    """The simulator refused a control request; the message says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class SimulatorClient:
    """Speaks to one simulator's control routes."""

    def __init__(self, url: str, *, timeout: float = 15) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url + "/_sim/", trust_env=False, timeout=timeout, verify=_authorities())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, method: str, path: str, **values: Any) -> Any:
        """Send one control request and return its JSON answer."""
        content = None if method == "GET" else values
        response = self._http.request(method, path, json=content)
        data = response.json()
        if response.status_code != 200:
            raise SimulatorRefused(response.status_code, str(data.get("error", data)))
        return data

    def open_merchant(
        self,
        *,
        mchid: str | None = None,
        appid: str | None = None,
        key_pair: tuple[str, str] | None = None,
    ) -> Credentials:
        """Register a new merchant and return its credentials for the sandbox.

        Its keys are fresh; a key pair made before saves the time that making one takes.
        """
        private_pem, public_pem = key_pair or make_rsa_key_pair()
        registration = {
            "appid": appid or "wx" + secrets.token_hex(8),
            "app_secret": secrets.token_hex(16),
            "apiv3_key": make_apiv3_key(),
            "cert_serial_no": make_cert_serial(),
        }
        request = registration | {"public_key_pem": public_pem}
        if mchid is None:
            mchid, key = self._register_anew(request)
        else:
            key = self.ask("PUT", f"merchants/{mchid}", **request)
        return Credentials(
            mchid=mchid,
            private_key_pem=private_pem,
            public_key_pem=key["public_key_pem"],
            public_key_id=key["public_key_id"],
            base_url=self.url,
            login_base_url=self.url,
            **registration,
        )

    def _register_anew(self, request: dict[str, str]) -> tuple[str, Any]:
        while True:
            mchid = f"19{secrets.randbelow(10**8):08d}"
            try:
                return mchid, self.ask("PUT", f"merchants/{mchid}", only_if_new=True, **request)
            except SimulatorRefused as refusal:
                if refusal.status != 409:
                    raise

    def login(self, *, appid: str, user: str) -> tuple[str, str]:
        """Play `wx.login` for a user and return (code, openid)."""
        answer = self.ask("POST", "login", appid=appid, user=user)
        return answer["code"], answer["openid"]

    def pay(self, prepay_id: str, **how: Any) -> Any:
        """Play the shopper who taps pay."""
        return self.ask("POST", f"payments/{prepay_id}", **how)

    def transfer(self, mchid: str, out_bill_no: str, *, action: str) -> Any:
        """Confirm, expire, fail or cancel a transfer."""
        return self.ask("POST", f"transfers/{mchid}/{out_bill_no}", action=action)

    def refund(self, mchid: str, out_refund_no: str, *, action: str) -> Any:
        """Let a refund succeed, become abnormal or close."""
        return self.ask("POST", f"refunds/{mchid}/{out_refund_no}", action=action)

    def set_clock(self, mchid: str, *, offset_seconds: int) -> None:
        """Set a merchant's clock that many seconds ahead of real time."""
        self.ask("PUT", f"clocks/{mchid}", offset_seconds=offset_seconds)

    def set_funds(self, mchid: str, *, account: str, balance_fen: int) -> None:
        """Bring an account (basic or operation) to a balance."""
        self.ask("PUT", f"merchants/{mchid}/funds", account=account, balance_fen=balance_fen)

    def set_callbacks(self, mchid: str, *, mode: str, **values: Any) -> None:
        """Choose how a merchant's callbacks come: normal, never, repeat, delay or reverse."""
        self.ask("PUT", f"callbacks-mode/{mchid}", mode=mode, **values)

    def set_refunds(self, mchid: str, *, mode: str, **values: Any) -> None:
        """Choose how a merchant's refunds settle: at_once, manual or delay."""
        self.ask("PUT", f"refunds-mode/{mchid}", mode=mode, **values)

    def fault(self, match: str, *, kind: str, **values: Any) -> None:
        """Make the next requests whose path begins with `match` go wrong."""
        self.ask("PUT", "faults", match=match, kind=kind, **values)

    def clear_faults(self) -> None:
        """Forget the faults that have not struck yet."""
        self.ask("DELETE", "faults")

    def forge(self, mchid: str, *, kind: str, number: str, **values: Any) -> int:
        """Send a forged callback and return the HTTP status it was answered with."""
        answer = self.ask("POST", "forge", mchid=mchid, kind=kind, number=number, **values)
        return int(answer["status"])

    def ledger(self, mchid: str) -> dict[str, Any]:
        """Return what really moved for a merchant."""
        answer: dict[str, Any] = self.ask("GET", f"merchants/{mchid}/ledger")
        return answer

    def notifications(self, mchid: str) -> list[dict[str, Any]]:
        """Return a merchant's callbacks and how far their delivery is."""
        answer: list[dict[str, Any]] = self.ask("GET", f"merchants/{mchid}/notifications")
        return answer


@functools.cache
def _authorities() -> ssl.SSLContext:
    # Reading them takes longer than any control request, and each sign-up makes a client of its own.
    return httpx.create_ssl_context(trust_env=False)
