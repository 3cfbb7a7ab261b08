"""Settings of the brand: settlement, withdrawals, WeChat keys, going live."""

from __future__ import annotations

from collections.abc import Callable

from flask import current_app, render_template, request
from flask.typing import ResponseReturnValue

from fanyong.config import Settings
from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.payments import golive
from fanyong.payments.provider import active_account
from fanyong.tenancy import settings
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import session
from fanyong.tenancy.migrate import driver_dsn
from fanyong.web.settings_form import SettingsForm, from_post, from_values
from fanyong.web.words import _
from tenants.console.base import bp, done, record, refused
from tenants.console.forms import (
    GoLiveForm,
    SettlementForm,
    WeChatForm,
    settlement_as_typed,
    settlement_values,
)
from tenants.payouts.rules import WithdrawalRules
from tenants.settlement.triggers import Settlement, in_words
from tenants.settlement.workdays import announced_until
from tenants.wiring import SETUP_TABLES


@bp.get("/settings")
@requires(Permission.SETTINGS_READ)
def brand_settings() -> ResponseReturnValue:
    """Show the settings."""
    return _page()


@bp.post("/settings/settlement")
@requires(Permission.SETTINGS_WRITE)
def save_settlement() -> ResponseReturnValue:
    """Change when commissions are released."""
    form = from_post(SettlementForm, request.form)

    def save() -> None:
        rule = Settlement.model_validate(settlement_values(form.values))
        settings.save(rule, actor=current_actor())
        record("settings.changed", group=Settlement.key, **rule.model_dump(mode="json"))

    return _saved("settlement", form, save, _("The settlement is saved."))


@bp.post("/settings/withdrawal")
@requires(Permission.SETTINGS_WRITE)
def save_withdrawal_rules() -> ResponseReturnValue:
    """Change what a withdrawal has to keep to."""
    form = from_post(WithdrawalRules, request.form)

    def save() -> None:
        rules = WithdrawalRules.model_validate(form.values)
        settings.save(rules, actor=current_actor())
        record("settings.changed", group=WithdrawalRules.key, **rules.model_dump())

    return _saved("withdrawal", form, save, _("The rules of withdrawals are saved."))


@bp.post("/settings/wechat")
@requires(Permission.SETTINGS_WRITE)
def save_wechat_keys() -> ResponseReturnValue:
    """Store the brand's own WeChat Pay keys, encrypted."""
    form = from_post(WeChatForm, request.form)

    def save() -> None:
        try:
            account = golive.save_live_keys(form.values)
        except golive.BadMerchantKeys as error:
            form.add_error([error.params["field"]], refused(error))
        else:
            record("wechat.keys_saved", mchid=account.mchid, appid=account.appid)

    return _saved("wechat", form, save, _("The keys are stored, encrypted."))


@bp.post("/settings/go-live")
@requires(Permission.SETTINGS_WRITE)
def go_live() -> ResponseReturnValue:
    """Leave the sandbox: delete what was tried, and work with the brand's own keys from now on."""
    form = from_post(GoLiveForm, request.form)
    if form.ok and form.values["confirm"].strip().lower() != current_tenant().slug:
        form.add_error(["confirm"], _("This is not the subdomain of this brand."))

    def leave_sandbox() -> None:
        platform: Settings = current_app.extensions["settings"]
        # The tables are emptied under a lock, for which this request has to let go of them.
        session().commit()
        golive.go_live(driver_dsn(platform.database_url), keep_tables=SETUP_TABLES)
        record("brand.went_live")

    return _saved("live", form, leave_sandbox, _("This brand is live. Payments move real money from now on."))


def _saved(name: str, form: SettingsForm, save: Callable[[], None], message: str) -> ResponseReturnValue:
    status = 422
    if form.ok:
        try:
            save()
        except FanyongError as error:
            form.add_error([], refused(error))
            status = error.status
    if not form.ok:
        return _page({name: form}), status
    return done(message, "console.brand_settings", _anchor=name)


def _page(posted: dict[str, SettingsForm] | None = None) -> str:
    posted = posted or {}
    rules, rule = settings.load(WithdrawalRules), settings.load(Settlement)
    platform: Settings = current_app.extensions["settings"]
    return render_template(
        "console/settings.html",
        account=active_account(),
        has_live_keys=golive.has_live_keys(),
        url=platform.brand_url(current_tenant().slug),
        settlement=posted.get("settlement") or from_values(SettlementForm, settlement_as_typed(rule)),
        settlement_words=in_words(rule),
        calendar_until=announced_until(),
        withdrawal=posted.get("withdrawal") or from_values(WithdrawalRules, rules.model_dump()),
        wechat=posted.get("wechat") or from_values(WeChatForm, {}),
        live=posted.get("live") or from_values(GoLiveForm, {}),
    )
