"""Becoming a promoter, and rising."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from uuid import UUID

from fanyong.errors import NotFound
from fanyong.values import NextTier
from tenants.api.auth import current_member
from tenants.api.blueprint import bp
from tenants.api.operations import operation
from tenants.api.schemas import tiers as schemas
from tenants.api.texts import mark as _
from tenants.promoters import applications, invitations, standing, words
from tenants.promoters import service as promoters
from tenants.promoters.models import Application

HISTORY = 20


@bp.get("/promoter/tier")
@operation(
    tag="promoter",
    summary=_("My tier, and what is missing for the next"),
    answers={200: schemas.MyTier},
)
def get_tier() -> schemas.MyTier:
    """Return the member's tier, the brand's tiers, and how far the member is with the next one."""
    return _my_tier(current_member().id)


@bp.get("/promoter/application")
@operation(
    tag="promoter",
    summary=_("The application form, and what became of my application"),
    answers={200: schemas.ApplicationForm},
)
def get_application() -> schemas.ApplicationForm:
    """Return the brand's form and the member's last application."""
    form, latest = applications.form(), applications.latest(current_member().id)
    return schemas.ApplicationForm(
        tiers=list(applications.open_tiers()),
        intro=form.intro,
        questions=[
            schemas.Question(
                key=question.key,
                label=question.label,
                kind=question.kind,
                choices=question.options if question.kind == "choice" else [],
                required=question.required,
            )
            for question in form.questions
        ],
        latest=_application(latest) if latest else None,
    )


@bp.post("/promoter/application")
@operation(
    tag="promoter",
    summary=_("Apply"),
    description=_("Sent again while it is open, it replaces the answers."),
    answers={200: schemas.Application},
    raises=[applications.NotByApplication, applications.HasTier, applications.BadAnswers],
)
def apply_for_tier(json: schemas.Apply) -> schemas.Application:
    """Hand in an application."""
    found = applications.apply(current_member().id, tier=json.tier, answers=json.answers)
    return _application(found)


@bp.post("/promoter/invitation")
@operation(
    tag="promoter",
    summary=_("Follow an invitation of the shop"),
    description=_("An invitation is good for one member; the same member may send it again."),
    answers={200: schemas.MyTier},
    raises=[NotFound, invitations.InvitationNotUsable],
)
def accept_invitation(json: schemas.AcceptInvitation) -> schemas.MyTier:
    """Let the member in by an invitation."""
    invitations.accept(current_member().id, code=json.code)
    return _my_tier(current_member().id)


def _my_tier(member_id: UUID) -> schemas.MyTier:
    promoter = promoters.get_promoter(member_id) or promoters.enroll(member_id)
    tiers = promoters.tiers_to_show()
    names = {tier.key: str(tier.name) for tier in tiers}
    wanted = standing.next_tier(promoter)
    return schemas.MyTier.model_validate(
        {
            "tier": promoter.tier,
            "since": promoter.tier_since,
            "tiers": [
                {
                    "key": tier.key,
                    "name": str(tier.name),
                    "rank": tier.rank,
                    "icon": tier.icon,
                    "rights": list(tier.rights),
                }
                for tier in tiers
            ],
            "next": _next(wanted, names) if wanted else None,
            "history": [
                {
                    "from_tier": change.from_tier,
                    "to_tier": change.to_tier,
                    "text": words.reason_text(change.because),
                    "changed_at": change.changed_at,
                }
                for change in promoters.tier_history(promoter.member_id)[:HISTORY]
            ],
        }
    )


def _application(found: Application) -> schemas.Application:
    return schemas.Application.model_validate(found)


def _next(wanted: NextTier, names: dict[str, str]) -> dict[str, object]:
    return {
        "tier": wanted.tier,
        "name": names.get(wanted.tier, wanted.tier),
        "how": wanted.how,
        "text": str(words.HOW[wanted.how]),
        "ways": list(_ways(wanted)),
    }


def _ways(wanted: NextTier) -> Iterator[dict[str, object]]:
    states = sorted(wanted.conditions, key=lambda state: state.way)
    for _number, way in groupby(states, key=lambda state: state.way):
        conditions = [
            {
                "metric": state.metric,
                "period": state.period,
                "have": state.have,
                "need": state.need,
                "missing": max(0, state.need - state.have),
                "text": words.condition_text(state),
            }
            for state in way
        ]
        yield {"conditions": conditions, "reached": all(row["missing"] == 0 for row in conditions)}
