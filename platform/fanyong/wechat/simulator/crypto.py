"""The cryptography on WeChat's side, written apart from the client's so that each proves the other."""

import base64
import functools
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from fanyong.wechat.keys import make_rsa_key_pair
from fanyong.wechat.simulator.store import Store

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"


@dataclass(frozen=True)
class Platform:
    """WeChat's own key pair, the same for all merchants."""

    private_key: RSAPrivateKey
    public_pem: str
    public_key_id: str

    def sign(self, message: bytes) -> str:
        """Return the base64 signature of `message`."""
        return base64.b64encode(self.private_key.sign(message, PKCS1v15(), SHA256())).decode()

    def signature_headers(self, body: bytes, *, timestamp: int | None = None) -> dict[str, str]:
        """Return the headers that prove that `body` is WeChat's, signed at this moment."""
        moment, nonce = str(int(time.time()) if timestamp is None else timestamp), secrets.token_hex(16)
        return {
            "Wechatpay-Timestamp": moment,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": self.sign(f"{moment}\n{nonce}\n".encode() + body + b"\n"),
            "Wechatpay-Serial": self.public_key_id,
            "Wechatpay-Signature-Type": SIGNATURE_TYPE,
        }

    def decrypt(self, ciphertext: str) -> str:
        """Return the text of a field that a client encrypted; raise ValueError when it can't be read."""
        padding = OAEP(mgf=MGF1(algorithm=SHA1()), algorithm=SHA1(), label=None)
        return self.private_key.decrypt(base64.b64decode(ciphertext, validate=True), padding).decode()


def load_platform(store: Store) -> Platform:
    """Return the platform's key pair, made once and kept in the store."""
    with store.transaction() as db:
        row = db.execute("SELECT private_pem, public_pem, public_key_id FROM platform").fetchone()
        if row is None:
            private_pem, public_pem = make_rsa_key_pair()
            row = (private_pem, public_pem, "PUB_KEY_ID_" + secrets.token_hex(16).upper())
            db.execute("INSERT INTO platform VALUES (?, ?, ?)", row)
    private_key = load_pem_private_key(row[0].encode(), password=None)
    if not isinstance(private_key, RSAPrivateKey):
        raise TypeError("the stored platform key is not an RSA key")
    return Platform(private_key, row[1], row[2])


@functools.lru_cache(maxsize=512)
def load_rsa_public_key(pem: str) -> RSAPublicKey:
    """Return the RSA public key in `pem`; raise ValueError when it is none."""
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA key")
    return key


def is_signed_by(public_pem: str, *, signature: str, message: bytes) -> bool:
    """Tell whether `signature` is the merchant's, over `message`."""
    try:
        raw = base64.b64decode(signature, validate=True)
        load_rsa_public_key(public_pem).verify(raw, message, PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


def encrypt_resource(resource: dict[str, Any], *, apiv3_key: str, associated_data: str) -> dict[str, str]:
    """Return the encrypted form in which a callback carries `resource`."""
    # The nonce has to be ASCII, because receivers encode it as a text.
    nonce = secrets.token_hex(6)
    plain = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    sealed = AESGCM(apiv3_key.encode()).encrypt(nonce.encode(), plain, associated_data.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "associated_data": associated_data,
        "nonce": nonce,
    }
