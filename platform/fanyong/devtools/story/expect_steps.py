"""The step that looks: what can be expected of members, orders, withdrawals and products."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from fanyong.devtools.story.parts import BaseStep, Fen, Key, Part

FIGURES = (
    "estimated_fen",
    "frozen_fen",
    "pending_fen",
    "available_fen",
    "in_transfer_fen",
    "paid_fen",
    "tax_withheld_fen",
    "fee_fen",
    "debt_fen",
)
ORDER_STATES = ("created", "paid", "shipped", "received", "closed")
WITHDRAWAL_STATES = ("requested", "held", "approved", "rejected", "paid", "failed", "returned")


class AwardExpectation(Part):
    """One commission of an order; what is left out is not compared."""

    sku: Key | None = None
    beneficiary: Key
    level: Annotated[int, Field(ge=0, le=9)] | None = None
    kind: Literal["share", "self", "bonus", "team", "region"] | None = None
    rule: Key | None = None
    base_fen: Fen | None = None
    rate_bp: Fen | None = None
    amount_fen: Fen | None = None
    reversed_fen: Fen | None = None
    held: bool | None = None


class Expect(BaseStep):
    """What must be true now, of a member, an order, a withdrawal, a product, or all members together."""

    do: Literal["expect"]
    member: Key | None = None
    order: Key | None = None
    withdrawal: Key | None = None
    product: Key | None = None
    estimated_fen: Fen | None = None
    frozen_fen: Fen | None = None
    pending_fen: Fen | None = None
    available_fen: Fen | None = None
    in_transfer_fen: Fen | None = None
    paid_fen: Fen | None = None
    tax_withheld_fen: Fen | None = None
    fee_fen: Fen | None = None
    debt_fen: Fen | None = None
    tier: str | None = None
    frozen: bool | None = None
    state: str | None = None
    goods_fen: Fen | None = None
    self_discount_fen: Fen | None = None
    coupon_fen: Fen | None = None
    exchange_credit_fen: Fen | None = None
    freight_fen: Fen | None = None
    total_fen: Fen | None = None
    refunded_fen: Fen | None = None
    amount_fen: Fen | None = None
    tax_fen: Fen | None = None
    net_fen: Fen | None = None
    channel: Key | None = None
    reason: str | None = None
    stock: Fen | None = None
    sku: Key | None = None
    awards: Annotated[list[AwardExpectation], Field(max_length=1_000)] | None = None

    #: Whose fields are whose.
    FIELDS: ClassVar[dict[str, tuple[str, ...]]] = {
        "member": (*FIGURES, "tier", "frozen"),
        "order": (
            "state",
            "goods_fen",
            "self_discount_fen",
            "coupon_fen",
            "exchange_credit_fen",
            "freight_fen",
            "total_fen",
            "refunded_fen",
            "awards",
            "sku",
        ),
        "withdrawal": ("state", "amount_fen", "tax_fen", "fee_fen", "net_fen", "channel", "reason"),
        "product": ("stock",),
        "brand": FIGURES,
    }

    @property
    def subject(self) -> str:
        """Return whom the expectation is about; a brand means the sums over its members."""
        named = [kind for kind in ("member", "order", "withdrawal", "product") if getattr(self, kind) is not None]
        return named[0] if named else "brand"

    @property
    def expected(self) -> dict[str, object]:
        """Return the values to be compared."""
        names = self.FIELDS[self.subject]
        return {name: getattr(self, name) for name in names if name in self.model_fields_set and name != "sku"}

    @field_validator("expect_error")
    @classmethod
    def _has_no_error(cls, value: str | None) -> str | None:
        if value is not None:
            raise ValueError("an expectation looks and does nothing, so nothing can refuse it")
        return value

    @model_validator(mode="after")
    def _fits_its_subject(self) -> Expect:
        kinds = [kind for kind in ("member", "order", "withdrawal", "product") if getattr(self, kind) is not None]
        if len(kinds) > 1:
            raise ValueError(f"one subject a step, not {' and '.join(kinds)}")
        common = {"do", "brand", "note", "member", "order", "withdrawal", "product"}
        allowed = self.FIELDS[self.subject]
        strange = sorted(self.model_fields_set - common - set(allowed))
        if strange:
            raise ValueError(f"{', '.join(strange)}: not known of a {self.subject}; allowed: {', '.join(allowed)}")
        if not self.expected:
            raise ValueError(f"nothing to compare; allowed: {', '.join(allowed)}")
        states = {"order": ORDER_STATES, "withdrawal": WITHDRAWAL_STATES}.get(self.subject, ())
        if self.state is not None and self.state not in states:
            raise ValueError(f"state: {self.state!r} is none of {', '.join(states)}")
        return self
