"""Accounts: what they need, who is let in, and that a brand keeps an owner."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import psycopg
import pytest
from flask import Flask

from fanyong.devtools.paths import ROOT
from fanyong.identity import service as identity
from fanyong.identity.models import AdminUser
from fanyong.identity.service import BadAccount, EmailTaken, LastOwner
from fanyong.ids import new_token
from fanyong.tenancy.context import NoTenant, Tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.migrate import driver_dsn
from fanyong.tenancy.runtime import in_tenant
from tests.conftest import PASSWORD, STAFF_EMAIL, Brand


def create(email: str = "a@example.com", **changes: Any) -> AdminUser:
    values = {"name": "A", "password": PASSWORD, "role": "operator"} | changes
    with unit_of_work():
        return identity.create_admin(email, **values)


@pytest.mark.parametrize("length", [identity.MIN_PASSWORD, identity.MAX_PASSWORD])
def test_a_password_at_the_limits_works(inside: Tenant, length: int) -> None:
    create(password="密" * length)
    assert identity.authenticate_admin("a@example.com", password="密" * length) is not None
    assert identity.authenticate_admin("a@example.com", password="密" * (length - 1)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"password": ""},
        {"password": "x" * (identity.MIN_PASSWORD - 1)},
        {"password": "x" * (identity.MAX_PASSWORD + 1)},
        {"role": "superadmin"},
        {"role": ""},
        {"role": "Owner"},
        {"email": ""},
        {"email": "nobody"},
        {"email": "a@b@example.com"},
        {"email": "a b@example.com"},
        {"email": "a@example.com\nBcc: b@example.com"},
        {"email": "a\x00@example.com"},
    ],
)
def test_a_bad_account_is_not_made(inside: Tenant, changes: dict[str, str]) -> None:
    before = len(identity.admins())
    with pytest.raises(BadAccount):
        create(**changes)
    session().rollback()
    assert len(identity.admins()) == before


def test_one_address_is_one_account_however_it_is_written(inside: Tenant) -> None:
    create("First.Last@Example.COM")
    for again in ("first.last@example.com", " FIRST.LAST@EXAMPLE.COM ", "First.Last@example.com"):
        with pytest.raises(EmailTaken):
            create(again)
        assert identity.authenticate_admin(again, password=PASSWORD) is not None


def test_a_taken_address_does_not_spoil_the_work_around_it(inside: Tenant) -> None:
    create("a@example.com")
    with unit_of_work():
        identity.record_action("before", actor="test")
        with pytest.raises(EmailTaken):
            identity.create_admin("a@example.com", name="x", password=PASSWORD, role="operator")
        identity.record_action("after", actor="test")
    names = [action.action for action in session().scalars(identity.actions()).all()]
    assert names[:2] == ["after", "before"]


def test_passwords_are_stored_as_salted_hashes(inside: Tenant) -> None:
    one, two = create("a@example.com"), create("b@example.com")
    assert PASSWORD not in one.password_hash
    assert one.password_hash.split("$")[1] != two.password_hash.split("$")[1]


def test_outside_of_tests_hashes_are_slow_and_nobodys_is_as_slow() -> None:
    """These tests hash in no time, so that another interpreter has to say what the product does."""
    script = "from fanyong.identity import service as s; print(s._NOBODY, s.generate_password_hash('x'))"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform")}
    shown = subprocess.check_output([sys.executable, "-c", script], env=environment, text=True)
    methods = [text.partition("$")[0] for text in shown.split()]
    assert methods == ["scrypt:32768:8:1"] * 2


def test_the_same_address_in_two_brands_is_two_people(app: Flask, brand: Brand, other_brand: Brand) -> None:
    for each, password in ((brand, "one password here"), (other_brand, "another password")):
        with app.app_context(), in_tenant(each.tenant):
            create("same@example.com", password=password)
    with app.app_context(), in_tenant(brand.tenant):
        assert identity.authenticate_admin("same@example.com", password="another password") is None
        assert identity.authenticate_admin("same@example.com", password="one password here") is not None
        assert identity.authenticate_admin(other_brand.email, password=other_brand.password) is None


def test_staff_and_admins_are_different_people(inside: Tenant) -> None:
    assert identity.authenticate_staff(STAFF_EMAIL, password=PASSWORD) is not None
    assert identity.authenticate_admin(STAFF_EMAIL, password=PASSWORD) is None
    create("a@example.com")
    assert identity.authenticate_staff("a@example.com", password=PASSWORD) is None


def test_admins_belong_to_a_brand(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(NoTenant):
            identity.create_admin("a@example.com", name="x", password=PASSWORD, role="owner")
        with pytest.raises(NoTenant):
            identity.authenticate_admin("a@example.com", password=PASSWORD)


@pytest.mark.parametrize("email", ["a@example.com", "nobody@example.com", "not an address", "", "a\x00"])
def test_every_failed_log_in_costs_one_comparison(inside: Tenant, monkeypatch: pytest.MonkeyPatch, email: str) -> None:
    """The time of an answer must not tell whether there is an account: all ways go through one slow hash."""
    create("a@example.com")
    compared: list[str] = []
    really = identity.check_password_hash

    def compare(hashed: str, password: str) -> bool:
        compared.append(hashed.split("$")[0])
        return really(hashed, password)

    monkeypatch.setattr(identity, "check_password_hash", compare)
    assert identity.authenticate_admin(email, password="wrong password") is None
    assert compared == [identity.generate_password_hash("x").split("$")[0]]


def test_what_stands_for_nobody_lets_nobody_in(inside: Tenant) -> None:
    assert identity.authenticate_admin("nobody@example.com", password="nobody has this password") is None
    assert identity.authenticate_admin("", password="nobody has this password") is None


def test_a_deactivated_account_is_not_let_in_until_it_is_active_again(inside: Tenant) -> None:
    admin = create()
    for active in (False, True):
        with unit_of_work():
            identity.set_active(admin.id, active=active)
        found = identity.authenticate_admin("a@example.com", password=PASSWORD)
        assert (found is not None) is active


def test_the_last_active_owner_stays(inside: Tenant) -> None:
    (owner,) = identity.admins()
    with pytest.raises(LastOwner), unit_of_work():
        identity.set_active(owner.id, active=False)
    second = create("b@example.com", role="owner")
    with unit_of_work():
        identity.set_active(owner.id, active=False)
    with pytest.raises(LastOwner), unit_of_work():
        identity.set_active(second.id, active=False)
    with unit_of_work():
        identity.set_active(owner.id, active=False)
        identity.set_active(second.id, active=True)
    assert [admin.active for admin in identity.admins()] == [False, True]


def test_two_owners_who_put_each_other_out_leave_one(app: Flask, brand: Brand) -> None:
    with app.app_context(), in_tenant(brand.tenant):
        (first,) = identity.admins()
        second = create("b@example.com", role="owner")
    results: list[object] = []

    def put_the_first_out() -> None:
        try:
            with app.app_context(), in_tenant(brand.tenant), unit_of_work():
                results.append(identity.set_active(first.id, active=False))
        except LastOwner as error:
            results.append(type(error))

    rival = threading.Thread(target=put_the_first_out)
    with app.app_context(), in_tenant(brand.tenant), unit_of_work() as work:
        identity.set_active(second.id, active=False)
        work.flush()
        rival.start()
        _wait_until_it_ends_or_waits_for_us(app, rival)
    rival.join()
    assert results == [LastOwner]
    with app.app_context(), in_tenant(brand.tenant):
        assert [admin.active for admin in identity.admins() if admin.id == first.id] == [True]
        assert sum(admin.active for admin in identity.admins()) == 1


def _wait_until_it_ends_or_waits_for_us(app: Flask, rival: threading.Thread) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    give_up_at = time.monotonic() + 30
    with psycopg.connect(driver_dsn(app.extensions["settings"].database_url), autocommit=True) as connection:
        while rival.is_alive():
            row = connection.execute(waiting).fetchone()
            if row and row[0]:
                return
            assert time.monotonic() < give_up_at
            time.sleep(0.01)


def test_a_stranger_is_neither_switched_on_nor_off(other_brand: Brand, inside: Tenant) -> None:
    assert identity.set_active(other_brand.tenant.id, active=False) is None


def test_setup_gives_the_superadmin_the_password_of_the_environment(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = f"boss-{new_token(6).lower()}@example.com"
    monkeypatch.setenv("SUPERADMIN_EMAIL", email)
    for password in ("the first password", "the second password"):
        monkeypatch.setenv("SUPERADMIN_PASSWORD", password)
        result = app.test_cli_runner().invoke(args=["setup"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        with app.app_context():
            assert identity.authenticate_staff(email, password=password) is not None
    with app.app_context():
        assert identity.authenticate_staff(email, password="the first password") is None
