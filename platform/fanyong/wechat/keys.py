"""Fresh keys for a merchant, as WeChat's merchant platform hands them out."""

import secrets
import string

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

_ALPHABET = string.ascii_letters + string.digits


def make_rsa_key_pair() -> tuple[str, str]:
    """Return a new RSA-2048 key pair as (private PEM, public PEM)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private_pem.decode(), public_pem.decode()


def make_apiv3_key() -> str:
    """Return a new APIv3 key: 32 ASCII letters and digits, used as they are as an AES-256 key."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(32))


def make_cert_serial() -> str:
    """Return a new certificate serial number: 40 upper-case hexadecimal digits."""
    return secrets.token_hex(20).upper()
