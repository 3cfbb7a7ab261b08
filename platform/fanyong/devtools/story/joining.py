"""How members become promoters, and promoters agents of regions: through the form, by a code, or appointed."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

from fanyong.devtools.story import joining_steps as steps
from fanyong.devtools.story.doors import Refused
from fanyong.devtools.story.stage import Stage

_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_MEMBER = re.compile(r"/console/promoters/([0-9a-f-]{32,36})")
_END = re.compile(r"/console/regions/([0-9a-f-]{32,36})/end")
_CODE = re.compile(r"<code>([^<]+)</code>")


def join_in(stage: Stage, step: steps.AnyJoiningStep, *, key: str) -> str:
    """Do what a step says and return it in words; `key` makes repeating safe."""
    match step:
        case steps.SetApplicationForm():
            return _set_form(stage, step)
        case steps.Apply():
            body = {"tier": step.tier, "answers": step.answers}
            stage.shop.ask("POST", "/promoter/application", member=step.member, json=body)
            return f"{step.member} applies" + (f" to be {step.tier}" if step.tier else "")
        case steps.ApproveApplication() | steps.RejectApplication():
            return _decide(stage, step)
        case steps.Invite():
            stage.invitations[step.name] = _invite(stage, step, note=key)
            return f"an invitation to {step.tier} ({step.name})"
        case steps.AcceptInvitation():
            body = {"code": stage.invitations[step.invitation]}
            stage.shop.ask("POST", "/promoter/invitation", member=step.member, json=body)
            return f"{step.member} follows the invitation {step.invitation}"
        case steps.RevokeInvitation():
            path = f"/console/invitations/{stage.invitations[step.invitation]}/revoke"
            stage.console.submit(path, {}, page="/console/invitations")
            return f"the invitation {step.invitation} is withdrawn"
        case steps.AppointAgent():
            return _appoint(stage, step)
        case steps.EndAgent():
            return _end(stage, step)


def _set_form(stage: Stage, step: steps.SetApplicationForm) -> str:
    fields = {"intro": step.intro}
    for index, question in enumerate(step.questions):
        values = {
            "key": question.key,
            "label": question.label,
            "kind": question.kind,
            "choices": ", ".join(question.choices),
            "required": "yes" if question.required else "",
        }
        fields |= {f"questions-{index}-{name}": value for name, value in values.items()}
    stage.console.submit("/console/applications/form", fields)
    return f"the form asks {', '.join(question.key for question in step.questions) or 'nothing'}"


def _decide(stage: Stage, step: steps.ApproveApplication | steps.RejectApplication) -> str:
    latest = stage.shop.ask("GET", "/promoter/application", member=step.member)["latest"]
    if latest is None:
        raise Refused("not_found", f"{step.member} has not applied")
    verb = step.do.removesuffix("_application")
    fields = {"reason": step.reason} if isinstance(step, steps.RejectApplication) else {}
    path = f"/console/applications/{UUID(latest['id'])}/{verb}"
    # A page that always has a form: its token is good for every form.
    # On a repetition an earlier try may have got through.
    stage.console.submit(path, fields, page="/console/applications/form", done_before=("application_decided",))
    return f"{verb} the application of {step.member}"


def _invite(stage: Stage, step: steps.Invite, *, note: str) -> str:
    """Make an invitation and return its code; a second one that a repetition made is never used."""
    fields = {"tier": step.tier, "days": str(step.days), "note": note}
    stage.console.submit("/console/invitations", fields)
    for row in _ROW.findall(stage.console.read("/console/invitations")):
        code = _CODE.search(row)
        if code is not None and f">{note}<" in row:
            return code[1]
    raise Refused("not_found", "the console lists no such invitation")


def _appoint(stage: Stage, step: steps.AppointAgent) -> str:
    page = f"/console/promoters/{stage.shop.ids[step.member]}"
    until = ""
    if step.days is not None:
        until = (stage.now() + timedelta(days=step.days)).date().isoformat()
    fields = {"region": step.region, "until": until}
    stage.console.submit(f"{page}/appoint", fields, page=page, done_before=("agent_already",))
    return f"{step.member} is the agent of {step.region}"


def _end(stage: Stage, step: steps.EndAgent) -> str:
    wanted = UUID(stage.shop.ids[step.member])
    for row in _ROW.findall(stage.console.read("/console/regions", params={"q": step.region})):
        member, end = _MEMBER.search(row), _END.search(row)
        if member is not None and end is not None and UUID(member[1]) == wanted:
            # Ending what has ended is no error.
            stage.console.submit(f"/console/regions/{end[1]}/end", {}, page="/console/regions")
            return f"{step.member} is no longer the agent of {step.region}"
    raise Refused("not_found", f"{step.member} is no agent of {step.region}")
