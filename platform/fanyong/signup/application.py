"""What a new brand gives at sign-up, checked field by field so that each message stands where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError
from fanyong.identity.service import MAX_PASSWORD, MIN_PASSWORD, BadAccount, normal_email
from fanyong.signup.service import check_name
from fanyong.tenancy.directory import SlugTaken, check_slug
from fanyong.tenancy.provision import slug_is_free


class BadEmail(FanyongError):
    code = "bad_email"
    status = 422
    message = _l("This is not an e-mail address. It should look like name@example.com.")


class BadPassword(FanyongError):
    code = "bad_password"
    status = 422
    message = _l("A password needs %(least)d to %(most)d characters.")


@dataclass(frozen=True, slots=True)
class Application:
    """The four fields as they were typed."""

    name: str = ""
    subdomain: str = ""
    email: str = ""
    password: str = field(default="", repr=False)


def read_application(form: Mapping[str, str]) -> Application:
    """Return what a form holds; a field that is missing counts as empty."""
    return Application(
        name=form.get("name", ""),
        subdomain=normal_subdomain(form.get("subdomain", "")),
        email=form.get("email", "").strip(),
        password=form.get("password", ""),
    )


def normal_subdomain(text: str) -> str:
    """Return a subdomain as browsers will write it: capitals and surrounding space mean nothing."""
    return text.strip().lower()


def find_problems(application: Application) -> dict[str, FanyongError]:
    """Return what is wrong with an application, by field; nothing means that it can be tried."""
    checks: dict[str, Callable[[], object]] = {
        "name": lambda: check_name(application.name),
        "subdomain": lambda: check_subdomain(application.subdomain),
        "email": lambda: _check_email(application.email),
        "password": lambda: _check_password(application.password),
    }
    problems: dict[str, FanyongError] = {}
    for name, check in checks.items():
        try:
            check()
        except FanyongError as error:
            problems[name] = error
    return problems


def check_subdomain(subdomain: str) -> None:
    """Raise BadSlug, ReservedSlug or SlugTaken when nobody could sign up with this subdomain now."""
    check_slug(subdomain)
    if not slug_is_free(subdomain):
        raise SlugTaken


def _check_email(email: str) -> None:
    try:
        normal_email(email)
    except BadAccount:
        raise BadEmail from None


def _check_password(password: str) -> None:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise BadPassword(least=MIN_PASSWORD, most=MAX_PASSWORD)
