"""Logging in, and the brand itself."""

from __future__ import annotations

from fanyong.payments.provider import PaymentsNotReady, active_account
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from tenants.api import service
from tenants.api.auth import make_token
from tenants.api.blueprint import bp
from tenants.api.errors import BadLoginCode
from tenants.api.operations import operation
from tenants.api.schemas.session import Brand, LoggedInMember, LogIn, Session, WithdrawalLimits
from tenants.api.texts import mark as _
from tenants.payouts.rules import WithdrawalRules
from tenants.settlement.triggers import Settlement, in_words


@bp.post("/session")
@operation(
    tag="session",
    summary=_("Log in"),
    description=_(
        "Exchanges the code of wx.login for a token. The first log-in registers the member. A member who has no "
        "upline yet and comes through a share link is bound to the one who shared, for good. An unknown link does "
        "not stop the log-in: the answer says share = unknown."
    ),
    answers={200: Session},
    raises=(BadLoginCode, PaymentsNotReady),
    member=False,
)
def log_in(json: LogIn) -> Session:
    """Log a member in."""
    found = service.log_in(service.find_openid(json.code), nickname=json.nickname, share_token=json.share_token)
    member = LoggedInMember(
        id=found.member.id,
        nickname=found.member.nickname,
        tier=found.promoter.tier,
        is_new=found.is_new,
    )
    return Session(token=make_token(member.id), member=member, share=found.share)


@bp.get("/brand")
@operation(
    tag="session",
    summary=_("The brand behind this host"),
    answers={200: Brand},
    member=False,
)
def get_brand() -> Brand:
    """Return what a mini-program has to know of its brand."""
    tenant, account, settlement = current_tenant(), active_account(), settings.load(Settlement)
    rules = settings.load(WithdrawalRules)
    return Brand(
        slug=tenant.slug,
        name=tenant.name,
        mode="live" if account and account.mode == "live" else "sandbox",
        appid=account.appid if account else None,
        now=brand_now(),
        window_days=settlement.window_days,
        settlement=in_words(settlement),
        withdrawal=WithdrawalLimits(minimum_fen=rules.minimum_fen, real_name_from_fen=rules.real_name_from_fen),
    )
