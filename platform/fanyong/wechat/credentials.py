"""A merchant's keys: what the gateway needs to speak for it."""

import hashlib
from dataclasses import astuple, dataclass, field


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """One merchant's identity and keys; `repr()` shows only what is public."""

    appid: str
    app_secret: str = field(repr=False)
    mchid: str
    private_key_pem: str = field(repr=False)
    cert_serial_no: str
    apiv3_key: str = field(repr=False)
    public_key_pem: str = field(repr=False)
    public_key_id: str
    base_url: str = "https://api.mch.weixin.qq.com"
    login_base_url: str = "https://api.weixin.qq.com"

    def fingerprint(self) -> str:
        """Return a digest that changes when any of the values does."""
        digest = hashlib.sha256()
        for value in astuple(self):
            # Each value is preceded by its length, so that no two sets of values run together.
            encoded = str(value).encode()
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
        return digest.hexdigest()
