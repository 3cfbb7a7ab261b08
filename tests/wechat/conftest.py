"""A fresh merchant on the simulator for each test of WeChat."""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fanyong.wechat.gateway import WeChatGateway
from fanyong.wechat.keys import make_rsa_key_pair
from fanyong.wechat.simulator.client import SimulatorClient
from fanyong.wechat.simulator.crypto import Platform
from tests.wechat.parts import Receiver, Shop, receiving


@pytest.fixture(scope="session")
def key_pair() -> tuple[str, str]:
    """A merchant's RSA key pair; making one takes longer than most tests."""
    return make_rsa_key_pair()


@pytest.fixture(scope="session")
def platform() -> Platform:
    """A WeChat of our own, to sign what the real one never would."""
    private_pem, public_pem = make_rsa_key_pair()
    key = load_pem_private_key(private_pem.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return Platform(key, public_pem, "PUB_KEY_ID_TEST")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who receives callbacks."""
    with receiving() as running:
        yield running


@pytest.fixture
def shop(simulator: SimulatorClient, receiver: Receiver, key_pair: tuple[str, str]) -> Iterator[Shop]:
    """A new merchant with a gateway."""
    credentials = simulator.open_merchant(key_pair=key_pair)
    gateway = WeChatGateway(credentials)
    yield Shop(simulator, credentials, gateway, receiver)
    gateway.close()


@pytest.fixture
def other(simulator: SimulatorClient, receiver: Receiver, key_pair: tuple[str, str]) -> Iterator[Shop]:
    """A second merchant."""
    credentials = simulator.open_merchant(key_pair=key_pair)
    gateway = WeChatGateway(credentials)
    yield Shop(simulator, credentials, gateway, receiver)
    gateway.close()
