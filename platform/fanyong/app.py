"""The application: the one place that knows every room."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, Response, jsonify
from flask_babel import Babel
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFProtect
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from fanyong import cli
from fanyong.config import Settings, from_environment
from fanyong.events import subscribe
from fanyong.identity.web import init_identity
from fanyong.jobs.tending import Duty, register_duty
from fanyong.payments import flows, provider, sandbox
from fanyong.pluginhost.registry import registry
from fanyong.signup.service import add_starter
from fanyong.signup.views import bp as signup
from fanyong.superadmin.views import bp as superadmin
from fanyong.tenancy.database import TENANT_BIND, bind_tenant_engine, db
from fanyong.tenancy.provision import tenant_login
from fanyong.web import init_web
from fanyong.web.binding import init_binding, init_database_errors
from fanyong.web.callbacks import bp as callbacks
from fanyong.web.locale import select_locale, select_timezone
from fanyong.wechat.provider import wechat_provider_factory
from tenants import api, console, shop, wiring
from tenants import cli as tenant_cli

ROOT = Path(__file__).resolve().parents[2]
#: Small pools: a brand's tables stay in a connection's memory, so few long-lived connections beat many.
ENGINE_OPTIONS = {
    "pool_size": 4,
    "max_overflow": 12,
    "pool_recycle": 900,
    "connect_args": {"prepare_threshold": None},
}


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application for the given settings, or for those of the environment."""
    settings = settings or from_environment()
    app = Flask(
        "fanyong",
        root_path=str(Path(__file__).parent),
        static_folder="web/static",
        template_folder="web/templates",
    )
    _configure(app, settings)
    init_binding(app, settings)
    _init_database(app, settings)
    _init_extensions(app, settings)
    # The features' duties come first: somebody looks at a phone and waits for commissions.
    _init_features()
    _init_payments(settings)
    _init_pages(app)
    cli.init_cli(app)
    tenant_cli.init_cli(app)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    app.extensions["settings"] = settings
    app.secret_key = settings.secret_key
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https:"),
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        WTF_CSRF_TIME_LIMIT=None,
        DEVELOPMENT=settings.development,
        SAMPLE_LOGINS=_sample_logins() if settings.development else [],
    )


def _sample_logins() -> list[dict[str, str]]:
    """Return what the log-in pages of a development server show; `brand` is empty for the platform's own."""
    email, password = os.environ.get("SUPERADMIN_EMAIL"), os.environ.get("SUPERADMIN_PASSWORD")
    return [{"brand": "", "email": email, "password": password}] if email and password else []


def _init_database(app: Flask, settings: Settings) -> None:
    login = tenant_login(settings.database_url, secret_key=settings.secret_key)
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = ENGINE_OPTIONS
    app.config["SQLALCHEMY_BINDS"] = {TENANT_BIND: {"url": login, **ENGINE_OPTIONS}}
    db.init_app(app)
    with app.app_context():
        bind_tenant_engine(db.engines[TENANT_BIND])
    Migrate(app, db, directory=str(ROOT / "migrations" / "platform"))
    init_database_errors(app)


def _init_extensions(app: Flask, settings: Settings) -> None:
    # A wake-up that cannot be sent now is not worth waiting for: the scheduler's tick finds the work.
    no_retry = Retry(NoBackoff(), 0)
    app.extensions["redis"] = Redis.from_url(settings.redis_url, socket_connect_timeout=1, retry=no_retry)
    app.config["BABEL_DEFAULT_LOCALE"] = "zh"
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    Babel(app, locale_selector=select_locale, timezone_selector=select_timezone)
    init_identity(app)
    csrf = CSRFProtect(app)
    csrf.exempt(callbacks)
    app.extensions["csrf_protect"] = csrf


def _init_payments(settings: Settings) -> None:
    provider.use_provider_factory(wechat_provider_factory(simulator_url=settings.simulator_url))
    flows.use_callback_url(settings.callback_url)
    sandbox.use_simulator(settings.simulator_url)
    register_duty("payments", Duty(flows.tend_payments, flows.PAYMENTS_DUE))
    register_duty("refunds", Duty(flows.tend_refunds, flows.REFUNDS_DUE))
    register_duty("transfers", Duty(flows.tend_transfers, flows.TRANSFERS_DUE))
    register_duty("sandbox", Duty(sandbox.open_sandbox, sandbox.SANDBOX_MISSING))


def _init_features() -> None:
    if not registry.plugins():
        registry.load_entry_points()
    for event_type, handler in wiring.SUBSCRIPTIONS:
        subscribe(event_type, handler)
    for name, duty in wiring.DUTIES.items():
        register_duty(name, duty)
    wiring.register_probes()
    for starter in wiring.STARTERS:
        add_starter(starter)


def _init_pages(app: Flask) -> None:
    init_web(app)
    for blueprint in (signup, superadmin, callbacks, console.blueprint(), shop.blueprint()):
        app.register_blueprint(blueprint)
    api.init_api(app)

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(ok=True)
