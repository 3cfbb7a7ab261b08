"""Applying to become a promoter: the form the brand builds, the answers, and the review."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.errors import FanyongError, InvalidRequest, NotFound
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.web.words import _
from tenants.members.models import Member
from tenants.promoters import service as promoters
from tenants.promoters.models import Application, TierGrant
from tenants.promoters.standing import traits

MAX_ANSWER = 1_000
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?\Z")


class Question(BaseModel):
    """One question of the form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,31}$", title=_l("Key"), description=_l("Programs know the question by it.")
    )
    label: str = Field(min_length=1, max_length=100, title=_l("Question"))
    kind: Literal["text", "number", "choice"] = Field(
        default="text",
        title=_l("Answer"),
        json_schema_extra={"labels": {"text": _l("Text"), "number": _l("A number"), "choice": _l("One of a list")}},
    )
    choices: str = Field(
        default="",
        max_length=1_000,
        title=_l("List"),
        description=_l("Only for “one of a list”, separated by commas."),
    )
    required: bool = Field(default=True, title=_l("Has to be answered"))

    @property
    def options(self) -> list[str]:
        """The answers of a list."""
        return [part for part in map(str.strip, re.split(r"[,，、\n]", self.choices)) if part]


class ApplicationForm(settings.SettingsGroup):
    """What members are asked when they apply."""

    key: ClassVar[str] = "application_form"
    intro: str = Field(
        default="",
        max_length=2_000,
        title=_l("Text above the form"),
        json_schema_extra={"widget": "textarea"},
    )
    questions: list[Question] = Field(
        default=[
            Question(key="name", label="姓名"),
            Question(key="phone", label="手机号"),
            Question(key="why", label="为什么想加入？", required=False),
        ],
        max_length=30,
        title=_l("Questions"),
    )


class BadForm(FanyongError):
    code = "bad_application_form"
    status = 422
    message = _l("These questions cannot be asked: each key once, and “one of a list” needs a list.")


class NotByApplication(FanyongError):
    code = "not_by_application"
    status = 422
    message = _l("Nobody applies for this tier here.")


class HasTier(FanyongError):
    code = "tier_already_held"
    status = 409
    message = _l("You hold this tier or a higher one already.")


class BadAnswers(InvalidRequest):
    code = "bad_answers"
    message = _l("Some of the answers are not right.")


class DecidedAlready(FanyongError):
    code = "application_decided"
    status = 409
    message = _l("This application was decided already.")


class RejectionNeedsReason(FanyongError):
    code = "reason_missing"
    status = 422
    message = _l("Please give a reason; the member reads it.")


def form() -> ApplicationForm:
    """Return the brand's application form."""
    return settings.load(ApplicationForm)


def save_form(value: ApplicationForm, *, actor: str) -> None:
    """Store the application form; raises BadForm."""
    keys = [question.key for question in value.questions]
    if len(set(keys)) < len(keys) or any(q.kind == "choice" and not q.options for q in value.questions):
        raise BadForm
    settings.save(value, actor=actor)


def open_tiers() -> Sequence[str]:
    """Return the tiers that members of this brand apply for, the lowest first."""
    return traits().applications


def checked_answers(questions: Sequence[Question], answers: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the answers as they are kept, a list of {key, label, value}; raises BadAnswers with {path, message}."""
    problems = [
        {"path": f"answers.{key}", "message": _("There is no such question.")}
        for key in sorted(set(answers) - {question.key for question in questions})
    ]
    kept = []
    for question in questions:
        value = answers.get(question.key, "").strip()
        problem = _problem(question, value)
        if problem:
            problems.append({"path": f"answers.{question.key}", "message": problem})
        if value:
            kept.append({"key": question.key, "label": question.label, "value": value})
    if problems:
        raise BadAnswers(details=problems)
    return kept


def apply(member_id: UUID, *, tier: str | None, answers: Mapping[str, str]) -> Application:
    """Hand in an application for a tier, or for the lowest that is applied for; an open one gets the new answers.

    Raises NotByApplication, HasTier or BadAnswers.
    """
    offered = open_tiers()
    wanted = tier or next(iter(offered), None)
    if wanted is None or wanted not in offered:
        raise NotByApplication
    promoter = promoters.lock([member_id])[0]
    ranks = {known.key: known.rank for known in promoters.tiers_to_show()}
    if promoter.tier is not None and ranks.get(promoter.tier, -1) >= ranks[wanted]:
        raise HasTier
    kept: list[Any] = [*checked_answers(form().questions, answers)]
    found = session().scalar(
        sa.select(Application).where(Application.member_id == member_id, Application.state == "open")
    )
    if found is None:
        found = Application(member_id=member_id, state="open", reason=None, decided_at=None, decided_by=None)
        session().add(found)
    found.tier, found.answers, found.submitted_at = wanted, kept, brand_now()
    session().flush()
    return found


def approve(application_id: UUID, *, actor: str) -> Application:
    """Accept an application: the tier is open to the member, who gets it at once where nothing else is missing.

    Raises NotFound or DecidedAlready.
    """
    found = _decide(application_id, state="approved", actor=actor)
    grant(found.member_id, tier=found.tier, source="application", actor=actor)
    return found


def reject(application_id: UUID, *, reason: str, actor: str) -> Application:
    """Turn an application down; raises RejectionNeedsReason, NotFound or DecidedAlready."""
    if not reason.strip():
        raise RejectionNeedsReason
    found = _decide(application_id, state="rejected", actor=actor)
    found.reason = reason.strip()
    return found


def grant(member_id: UUID, *, tier: str, source: Literal["application", "invitation"], actor: str) -> None:
    """Open a tier to a member, and look at the member's tier."""
    session().add(
        TierGrant(member_id=member_id, tier=tier, source=source, granted_by=actor, granted_at=brand_now(), used_at=None)
    )
    session().flush()
    promoters.look_again(member_id, because=source)


def latest(member_id: UUID) -> Application | None:
    """Return a member's last application, or None."""
    query = sa.select(Application).where(Application.member_id == member_id).order_by(Application.id.desc())
    return session().scalar(query.limit(1))


def applications(*, state: str = "", search: str = "") -> sa.Select[Application, Member]:
    """Return the query of applications with their members, newest first, filtered by state or nickname."""
    query = sa.select(Application, Member).join(Member).order_by(Application.id.desc())
    if state:
        query = query.where(Application.state == state)
    return query.where(Member.nickname.icontains(search, autoescape=True)) if search else query


def _decide(application_id: UUID, *, state: str, actor: str) -> Application:
    found = session().get(Application, application_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    if found.state != "open":
        raise DecidedAlready
    found.state, found.decided_at, found.decided_by = state, brand_now(), actor
    return found


def _problem(question: Question, value: str) -> str:
    """Return what is wrong with an answer, or nothing."""
    if not value:
        return _("Please answer this.") if question.required else ""
    if len(value) > MAX_ANSWER or "\0" in value:
        return _("This answer is too long.")
    if question.kind == "number" and not _NUMBER.match(value):
        return _("Please answer with a number.")
    if question.kind == "choice" and value not in question.options:
        return _("Please choose one of the list.")
    return ""
