"""The settings of the three roles."""

from __future__ import annotations

from typing import Any, Literal

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.tier_conditions import JOIN_HELP, JOIN_LABELS, MINIMUM_HELP, MINIMUM_TITLE, Condition, Join

ROLES = ("promoter", "dealer", "agent")
Entry = Literal["conditions", "application", "invitation"]
_ENTRY: dict[str, Any] = {
    "labels": {
        "conditions": _l("Whoever meets the conditions below"),
        "application": _l("Whoever applies and is accepted"),
        "invitation": _l("Whoever the brand invites"),
    }
}
_ENTRY_HELP = _l("With an application or an invitation, conditions below have to be met as well.")
_RIGHTS_HELP = _l("What this role may expect; one line each. Members read it in the mini-program.")
_LINES: dict[str, Any] = {"widget": "textarea"}


class Settings(BaseModel):
    """The names and rights of the roles, how one becomes each, and the conditions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    promoter_name: str = Field(default="推广员", min_length=1, max_length=20, title=_l("Name of the promoters"))
    promoter_by: Join = Field(
        default="anyone",
        title=_l("Who becomes a promoter"),
        description=JOIN_HELP,
        json_schema_extra={"labels": JOIN_LABELS},
    )
    join_purchase_fen: int = Field(
        default=0,
        ge=0,
        le=10**9,
        title=MINIMUM_TITLE,
        description=MINIMUM_HELP,
        json_schema_extra={"unit": "fen"},
    )
    promoter_rights: str = Field(
        default="",
        max_length=1_000,
        title=_l("Rights of promoters"),
        description=_RIGHTS_HELP,
        json_schema_extra=_LINES,
    )
    dealer_name: str = Field(default="经销商", min_length=1, max_length=20, title=_l("Name of the dealers"))
    dealer_by: Entry = Field(
        default="application", title=_l("Who becomes a dealer"), description=_ENTRY_HELP, json_schema_extra=_ENTRY
    )
    dealer_rights: str = Field(
        default="",
        max_length=1_000,
        title=_l("Rights of dealers"),
        description=_RIGHTS_HELP,
        json_schema_extra=_LINES,
    )
    agent_name: str = Field(default="代理商", min_length=1, max_length=20, title=_l("Name of the agents"))
    agent_by: Entry = Field(
        default="invitation", title=_l("Who becomes an agent"), description=_ENTRY_HELP, json_schema_extra=_ENTRY
    )
    agent_rights: str = Field(
        default="",
        max_length=1_000,
        title=_l("Rights of agents"),
        description=_RIGHTS_HELP,
        json_schema_extra=_LINES,
    )
    count_when: Literal["paid", "received"] = Field(
        default="received",
        title=_l("An order counts when it is"),
        description=_l("Sales are goods paid after discounts, without freight, less refunds."),
        json_schema_extra={"labels": {"paid": _l("Paid"), "received": _l("Received by the buyer")}},
    )
    conditions: list[Condition] = Field(
        default=[],
        max_length=200,
        title=_l("Conditions"),
        description=_l(
            "To rise to a role, to keep it, to fall from it; the keys are promoter, dealer and agent. Rows of one way "
            "hold together; one way is enough."
        ),
    )

    def name_of(self, role: str) -> str:
        """Return what a role is called."""
        return {"promoter": self.promoter_name, "dealer": self.dealer_name, "agent": self.agent_name}[role]

    def rights_of(self, role: str) -> tuple[str, ...]:
        """Return the rights of a role, one line each."""
        texts = {"promoter": self.promoter_rights, "dealer": self.dealer_rights, "agent": self.agent_rights}
        return tuple(filter(None, map(str.strip, texts[role].splitlines())))

    def entry_of(self, role: str) -> Join | Entry:
        """Return how one becomes a role."""
        entries: dict[str, Join | Entry] = {
            "promoter": self.promoter_by,
            "dealer": self.dealer_by,
            "agent": self.agent_by,
        }
        return entries[role]
