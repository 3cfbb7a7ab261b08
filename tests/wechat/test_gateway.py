"""The gateway's own parts: credentials, keys, the cache, and threads that share it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

from fanyong.wechat.gateway import GatewayCache
from fanyong.wechat.keys import make_apiv3_key, make_cert_serial, make_rsa_key_pair
from tests.wechat.parts import Shop


def test_credentials_do_not_show_their_secrets(shop: Shop) -> None:
    shown = repr(shop.credentials)
    for secret in ("app_secret", "private_key_pem", "apiv3_key"):
        assert getattr(shop.credentials, secret) not in shown
    assert "PRIVATE KEY" not in shown
    assert shop.mchid in shown


def test_any_change_makes_another_fingerprint(shop: Shop) -> None:
    known = {shop.credentials.fingerprint()}
    for field in fields(shop.credentials):
        changed = replace(shop.credentials, **{field.name: getattr(shop.credentials, field.name) + "x"})
        known.add(changed.fingerprint())
    assert len(known) == len(fields(shop.credentials)) + 1
    assert replace(shop.credentials).fingerprint() in known


def test_the_cache_keeps_the_gateways_in_use(shop: Shop) -> None:
    cache = GatewayCache(maxsize=2)
    first = cache.get(shop.credentials)
    assert cache.get(replace(shop.credentials)) is first
    second = cache.get(replace(shop.credentials, app_secret="other"))
    assert second is not first
    # The first was used last, so the third takes the second's place.
    assert cache.get(shop.credentials) is first
    cache.get(replace(shop.credentials, app_secret="third"))
    assert cache.get(shop.credentials) is first
    assert cache.get(replace(shop.credentials, app_secret="other")) is not second


def test_threads_share_one_gateway(shop: Shop) -> None:
    cache = GatewayCache()
    openid = shop.openid()

    def place(number: int) -> str:
        shop.gateway = cache.get(shop.credentials)
        return shop.order(f"order{number}", openid=openid)

    with ThreadPoolExecutor(8) as pool:
        prepay_ids = list(pool.map(place, range(40)))
    assert len(set(prepay_ids)) == 40
    with ThreadPoolExecutor(8) as pool:
        gateways = set(pool.map(lambda _: id(cache.get(shop.credentials)), range(40)))
    assert len(gateways) == 1


def test_keys_are_new_and_of_the_right_form() -> None:
    private_pem, public_pem = make_rsa_key_pair()
    assert private_pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert public_pem.startswith("-----BEGIN PUBLIC KEY-----")
    key, serial = make_apiv3_key(), make_cert_serial()
    assert len(key) == 32
    assert key.isascii()
    assert key.isalnum()
    assert key != make_apiv3_key()
    assert len(serial) == 40
    assert int(serial, 16) >= 0
    assert serial != make_cert_serial()
