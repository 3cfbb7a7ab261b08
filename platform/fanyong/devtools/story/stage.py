"""One brand on the stage: its doors, what its story has named so far, and waiting until it has come to rest."""

from __future__ import annotations

import re
import secrets
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from fanyong.devtools.story.console import Console, SubdomainTaken, Superadmin, sign_up
from fanyong.devtools.story.doors import Place, Refused, Unreachable
from fanyong.devtools.story.format import Brand, Product, Story
from fanyong.devtools.story.parts import Chosen, SettlementRules, WaiverTerms
from fanyong.devtools.story.sandbox import Sandbox
from fanyong.devtools.story.shop import Shop
from fanyong.wechat.times import BEIJING

#: A killed worker is back within seconds, and its work is found again by the next tick.
_REST_SECONDS = 150.0
#: Failed work is tried again after 10 and 30 seconds; what still fails then will not mend itself.
_FAILING_SECONDS = 75.0
_FIRST_LOOK_SECONDS = 0.02
_LONGEST_LOOK_SECONDS = 0.5
_SUFFIX_BYTES = 3
_SLUG_LENGTH = 20


class BrandExists(Exception):
    """A story that fixes its subdomains was played here before."""


@dataclass(frozen=True)
class Login:
    """How the owner of a brand gets into its console."""

    email: str
    password: str


@dataclass(frozen=True)
class Placed:
    """An order that a story placed."""

    id: str
    number: str
    buyer: str
    total_fen: int


@dataclass(frozen=True)
class Asked:
    """A withdrawal that a story asked for."""

    id: str
    member: str
    #: The transfer's number, by which WeChat knows it.
    number: str


@dataclass(frozen=True)
class Batch:
    """A payout batch that a story made."""

    #: The path of its page in the console.
    page: str
    #: The channel's settings when it was made: its files keep to them, whatever the channel says later.
    settings: dict[str, Any]


class Stage:
    """A brand that signed up for a story."""

    def __init__(self, brand: Brand, *, story: Story, place: Place, login: Login, sandbox: Sandbox) -> None:
        self.brand = brand
        self.place = place
        self.login = login
        self.sandbox = sandbox
        self.console = Console(place)
        self.shop = Shop(place, sandbox=sandbox)
        self.members = {m.key: m for m in story.members if m.brand == brand.key}
        self.products = [product for product in story.products if product.brand == brand.key]
        self.orders: dict[str, Placed] = {}
        self.withdrawals: dict[str, Asked] = {}
        self.shares: dict[str, str] = {}
        #: The codes of invitations.
        self.invitations: dict[str, str] = {}
        self.batches: dict[str, Batch] = {}
        #: The settings of payout channels that the story has chosen.
        self.channels: dict[str, dict[str, Any]] = {}
        self.figures: dict[str, dict[str, Any]] = {}
        self.offset_seconds = 0
        self.mchid = self.appid = ""
        self._offers: set[str] = set()

    def close(self) -> None:
        """Close the connections."""
        self.console.close()
        self.shop.close()

    def enter(self) -> None:
        """Log the owner in, and wait until the brand's merchant account in the sandbox is open."""
        self.console.log_in(email=self.login.email, password=self.login.password)
        until = time.monotonic() + _REST_SECONDS
        while not (state := self.console.state()).get("mchid"):
            if time.monotonic() > until:
                raise Unreachable(f"{self.brand.name} got no merchant account in the sandbox")
            time.sleep(_LONGEST_LOOK_SECONDS)
        if state["mode"] != "sandbox":
            raise Refused(
                "not_a_sandbox", f"{self.brand.name} is {state['mode']}; stories play with sandbox money only"
            )
        self.mchid, self.appid = state["mchid"], state["appid"]

    def set_up(self, superadmin: Superadmin) -> None:
        """Give the brand its rules and its products, as the file says."""
        brand, console = self.brand, self.console
        self.settle_by(brand.settlement)
        limits = brand.withdrawal
        amounts = {
            "minimum_fen": plain_yuan(limits.minimum_fen),
            "auto_approve_below_fen": plain_yuan(limits.auto_approve_below_fen),
        }
        console.submit("/console/settings/withdrawal", amounts, page="/console/settings")
        # First what the platform allows: tiers and plans are held to it when they are chosen.
        self._comply(superadmin)
        if brand.tiers is not None:
            console.choose("tiers", brand.tiers)
        if brand.plan is not None:
            console.choose("plan", brand.plan)
        for product in self.products:
            self._offer_product(product)

    def settle_by(self, rules: SettlementRules) -> None:
        """Choose when commissions are released."""
        self.console.submit("/console/settings/settlement", rules.fields(), page="/console/settings")

    def accept_notice(self, kind: str) -> None:
        """Accept the notice about two levels, or the one about entry."""
        self.console.submit("/console/compliance/accept-notice", {"kind": kind}, page="/console/compliance")

    def waive(self, superadmin: Superadmin, waiver: WaiverTerms) -> None:
        """Have the platform allow more."""
        superadmin.grant_waiver(self.place.host.partition(".")[0], waiver, offset_seconds=self.offset_seconds)

    def choose(self, what: str, chosen: Chosen, *, in_hours: int | None) -> None:
        """Choose tiers or plan now, or schedule them by the brand's clock."""
        if in_hours is None:
            self.console.choose(what, chosen)
            return
        self.console.schedule(what, chosen, moment=self.now() + timedelta(hours=in_hours))

    def _comply(self, superadmin: Superadmin) -> None:
        wanted = self.brand.compliance
        if wanted.levels == 2:
            self.accept_notice("levels")
        if wanted.entry == "notice":
            self.accept_notice("entry")
        kinds: list[Literal["levels", "team", "entry"]] = []
        kinds += ["levels"] if wanted.levels == 3 else []
        kinds += ["team"] if wanted.team else []
        kinds += ["entry"] if wanted.entry == "waiver" else []
        for kind in kinds:
            waiver = WaiverTerms(kind=kind, reason=wanted.waiver_reason, days=wanted.waiver_days)
            self.waive(superadmin, waiver)

    def now(self) -> datetime:
        """Return the brand's present time, in Beijing."""
        return (datetime.now(UTC) + timedelta(seconds=self.offset_seconds)).astimezone(BEIJING)

    def advance(self, seconds: int) -> None:
        """Move the clock of the brand, and with it its merchant's, to a new offset."""
        self.offset_seconds += seconds
        self.console.set_clock(offset_seconds=self.offset_seconds)

    def coupon(self, amount_fen: int) -> str | None:
        """Return the code of a coupon over an amount, made on first use."""
        if not amount_fen:
            return None
        code = f"STORY-{amount_fen}"
        fields = {"code": code, "amount": plain_yuan(amount_fen), "threshold": "0.00", "active": "y"}
        self._offer("coupons", fields)
        return code

    def shipping(self, fee_fen: int) -> str | None:
        """Return the code of a shipping method with a fee, made on first use."""
        if not fee_fen:
            return None
        code = f"FREIGHT-{fee_fen}"
        self._offer("shipping", {"code": code, "name": code, "fee": plain_yuan(fee_fen), "active": "y"})
        return code

    def come_to_rest(self) -> None:
        """Wait until everything that a step set off has reached the books.

        Callbacks are looked at before and after the open work: one that arrives in between makes new work. What
        failed is tried again by itself, for example after the simulator was away; raises Refused when it goes on.
        """
        began = time.monotonic()
        pause = _FIRST_LOOK_SECONDS
        while True:
            quiet = not self.sandbox.has_undelivered(self.mchid)
            state = self.console.state()
            done = quiet and not state["open_work"] and not state["failing_work"]
            if done and not self.sandbox.has_undelivered(self.mchid):
                return
            waited = time.monotonic() - began
            if state["failing_work"] and waited > _FAILING_SECONDS:
                raise Refused("failing_work", f"{self.brand.name}: {state['failing_work']} pieces of work fail")
            if waited > _REST_SECONDS:
                raise Unreachable(f"{self.brand.name} does not come to rest: {state}")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK_SECONDS)

    def look_at_figures(self) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Read everybody's figures again; returns (before, after) of each member who has logged in."""
        changes = {}
        for key in self.members:
            if self.shop.knows(key):
                before = self.figures.get(key, {})
                self.figures[key] = self.shop.figures(key)
                changes[key] = (before, self.figures[key])
        return changes

    def awards_of(self, member: str) -> list[dict[str, Any]]:
        """Return all awards of a member, oldest first."""
        return list(self.shop.pages("/promoter/awards", member=member))[::-1]

    def order(self, name: str) -> dict[str, Any]:
        """Return an order as its buyer sees it now."""
        placed = self.orders[name]
        return self.shop.ask("GET", f"/orders/{placed.id}", member=placed.buyer)

    def withdrawal(self, name: str) -> dict[str, Any]:
        """Return a withdrawal as its promoter sees it now."""
        asked = self.withdrawals[name]
        return self.shop.ask("GET", f"/withdrawals/{asked.id}", member=asked.member)

    def product(self, sku: str) -> dict[str, Any]:
        """Return a product as everybody sees it now."""
        return self.shop.ask("GET", f"/products/{sku}")

    def wait_for(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait until something is so; the callbacks that tell of it may have been lost, and are then asked for."""
        until = time.monotonic() + _REST_SECONDS
        while not is_so():
            if time.monotonic() > until:
                raise Unreachable(f"{self.brand.name}: still waiting until {what}")
            time.sleep(_LONGEST_LOOK_SECONDS)

    def _offer(self, kind: str, fields: dict[str, str]) -> None:
        if fields["code"] not in self._offers:
            self.console.submit(f"/console/offers/{kind}", fields, page="/console/offers")
            self._offers.add(fields["code"])

    def _offer_product(self, product: Product) -> None:
        fields = {
            "sku": product.sku,
            "name": product.name,
            "category": product.category,
            "product_code": product.product_code,
            "cost": "" if product.cost_fen is None else plain_yuan(product.cost_fen),
            "tax": plain_yuan(product.tax_bp),
            "commission_base": "" if product.commission_base_fen is None else plain_yuan(product.commission_base_fen),
            "description": "",
            "price": plain_yuan(product.price_fen),
            "stock": str(product.stock),
            "on_sale": "y",
        }
        self.console.submit("/console/products/new", fields, done_before=("sku_taken",))


def open_stage(brand: Brand, *, story: Story, place: Place, sandbox: Sandbox) -> Stage:
    """Sign a brand up; raises BrandExists when the file fixes a subdomain that is taken."""
    password = secrets.token_urlsafe(9)
    for _ in range(5):
        subdomain = brand.subdomain or f"{_slug(brand)}-{secrets.token_hex(_SUFFIX_BYTES)}"
        login = Login(email=f"owner@{subdomain}.example", password=password)
        try:
            sign_up(place, name=brand.name, subdomain=subdomain, email=login.email, password=password)
        except SubdomainTaken:
            if brand.subdomain is not None:
                raise BrandExists(
                    f"there is a brand at {place.brand(subdomain).url} already, and the story fixes this subdomain,"
                    " so it can be played only once here: take `subdomain` out of the file, or begin anew with"
                    " ./dev reset"
                ) from None
            continue
        return Stage(brand, story=story, place=place.brand(subdomain), login=login, sandbox=sandbox)
    raise Refused("subdomain_taken", f"no free subdomain for {brand.name}")


def _slug(brand: Brand) -> str:
    """Return letters and digits of the brand's name, or of its key when the name has none."""
    for text in (brand.name, brand.key):
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-0123456789")[:_SLUG_LENGTH].strip("-")
        if slug:
            return slug
    return "brand"


def plain_yuan(amount_fen: int) -> str:
    """Return an amount as it is typed into a form: 1250 -> `12.50`."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"
