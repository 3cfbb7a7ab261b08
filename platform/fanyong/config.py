"""Configuration, read once from the environment when the app is made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit


class ConfigurationError(RuntimeError):
    """Something in the environment is missing or wrong; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment sets."""

    database_url: str
    redis_url: str
    secret_key: str
    #: Where people reach the platform; brands answer at subdomains of its host.
    public_url: str
    #: Where the payment provider reaches us.
    callback_url: str
    simulator_url: str
    development: bool

    @property
    def platform_host(self) -> str:
        """The host name of the platform, without a port."""
        return urlsplit(self.public_url).hostname or "localhost"

    def brand_url(self, slug: str) -> str:
        """Return the address of a brand."""
        parts = urlsplit(self.public_url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{slug}.{parts.hostname}{port}"


def from_environment() -> Settings:
    """Read the settings; raises ConfigurationError naming what is missing."""
    missing = [n for n in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEY") if not os.environ.get(n)]
    if missing:
        raise ConfigurationError(f"set {', '.join(missing)} (./dev up does this for you)")
    public_url = os.environ.get("PUBLIC_URL", "http://localhost:8000")
    return Settings(
        database_url=os.environ["DATABASE_URL"],
        redis_url=os.environ["REDIS_URL"],
        secret_key=os.environ["SECRET_KEY"],
        public_url=public_url.rstrip("/"),
        callback_url=os.environ.get("CALLBACK_URL", public_url).rstrip("/"),
        simulator_url=os.environ.get("SIMULATOR_URL", "http://127.0.0.1:8100").rstrip("/"),
        development=os.environ.get("FANYONG_DEV") == "1",
    )
