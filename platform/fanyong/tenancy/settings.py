"""A brand's settings: one row a group, each group a pydantic model with safe defaults."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.tenancy.database import TenantBase, once_a_transaction, session


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
    stored = once_a_transaction("brand_settings", _read_all)
    return group.model_validate(stored[group.key]) if group.key in stored else group()


def save(value: SettingsGroup, *, actor: str) -> None:
    """Store one group of the bound brand's settings."""
    row = session().get(BrandSetting, value.key)
    if row is None:
        row = BrandSetting(key=value.key, value={})
        session().add(row)
    row.value = value.model_dump(mode="json")
    row.updated_by = actor
    once_a_transaction("brand_settings", _read_all)[value.key] = row.value


def remember(groups: dict[str, dict[str, Any]]) -> None:
    """Keep what another statement read of the bound brand's settings until the transaction ends."""
    once_a_transaction("brand_settings", lambda: groups)


def _read_all() -> dict[str, dict[str, Any]]:
    """Return every group: they are few and small, and one query a transaction serves all of them."""
    return {row.key: row.value for row in session().execute(sa.select(BrandSetting.key, BrandSetting.value))}
