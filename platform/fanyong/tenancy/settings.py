"""A brand's settings: one row a group, each group a pydantic model with safe defaults."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.tenancy.database import TenantBase, session


class BrandSetting(TenantBase):
    """One group of settings as JSON."""

    __tablename__ = "brand_setting"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), onupdate=sa.func.now())
    updated_by: Mapped[str] = mapped_column(default="")


class SettingsGroup(BaseModel):
    """Base of a settings group; `key` names its row, unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    key: ClassVar[str]


Group = TypeVar("Group", bound=SettingsGroup)


def load(group: type[Group]) -> Group:
    """Return the bound brand's settings of one group, or its defaults."""
    row = session().get(BrandSetting, group.key)
    return group.model_validate(row.value) if row else group()


def save(value: SettingsGroup, *, actor: str) -> None:
    """Store one group of the bound brand's settings."""
    row = session().get(BrandSetting, value.key)
    if row is None:
        row = BrandSetting(key=value.key, value={})
        session().add(row)
    row.value = value.model_dump(mode="json")
    row.updated_by = actor
