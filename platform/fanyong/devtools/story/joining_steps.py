"""Steps about becoming a promoter, and about agents of regions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fanyong.devtools.story.parts import BaseStep, Key, MemberStep, Part, Text

_Region = Annotated[str, Field(max_length=6)]


class Question(Part):
    """One question of the brand's application form."""

    key: Key
    label: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Literal["text", "number", "choice"] = "text"
    choices: list[Text] = Field(default_factory=list)
    required: bool = True


class SetApplicationForm(BaseStep):
    """The brand builds the form that members fill in when they apply."""

    do: Literal["set_application_form"]
    intro: Annotated[str, Field(max_length=2_000)] = ""
    questions: Annotated[list[Question], Field(max_length=30)]


class Apply(MemberStep):
    """A member applies for a tier: for the lowest one that is applied for, if none is named."""

    do: Literal["apply"]
    tier: Key | None = None
    answers: dict[str, str] = Field(default_factory=dict)


class ApproveApplication(MemberStep):
    """The brand accepts a member's application."""

    do: Literal["approve_application"]


class RejectApplication(MemberStep):
    """The brand turns a member's application down."""

    do: Literal["reject_application"]
    reason: Text = "turned down"


class Invite(BaseStep):
    """The brand makes an invitation to a tier."""

    do: Literal["invite"]
    name: Key = Field(validation_alias="as")
    tier: Key
    days: Annotated[int, Field(ge=1, le=365)] = 30


class InvitationStep(BaseStep):
    """A step with an invitation of an earlier step."""

    invitation: Key


class AcceptInvitation(MemberStep, InvitationStep):
    """A member follows an invitation."""

    do: Literal["accept_invitation"]


class RevokeInvitation(InvitationStep):
    """The brand withdraws an invitation that nobody has used."""

    do: Literal["revoke_invitation"]


class AppointAgent(MemberStep):
    """The brand makes a promoter the agent of a region, for so many days or until it ends that."""

    do: Literal["appoint_agent"]
    region: _Region
    days: Annotated[int, Field(ge=0, le=3_650)] | None = None


class EndAgent(MemberStep):
    """The brand ends an appointment."""

    do: Literal["end_agent"]
    region: _Region


AnyJoiningStep = (
    SetApplicationForm
    | Apply
    | ApproveApplication
    | RejectApplication
    | Invite
    | AcceptInvitation
    | RevokeInvitation
    | AppointAgent
    | EndAgent
)
