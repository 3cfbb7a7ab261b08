"""The `flask ledger` commands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import click
from flask import Flask
from flask.cli import AppGroup

from fanyong.errors import FanyongError
from fanyong.payments.provider import ProviderError
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.directory import live_tenants
from fanyong.tenancy.runtime import in_tenant
from tenants.invariants.service import check_books
from tenants.ledger.sealing import verify
from tenants.reconciliation.tasks import reconcile

ledger = AppGroup("ledger", help="Prove the books of one brand or of all.")
BRAND = click.option("--tenant", help="The brand's subdomain; without it, all brands.")
ALL = click.option("--all", "_all", is_flag=True, help="All brands, which is the default.")


def init_cli(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli.add_command(ledger)


@ledger.command("check")
@BRAND
@ALL
def check(tenant: str | None, _all: bool) -> None:
    """Prove every invariant; exits with 1 and names each violation when one does not hold."""
    broken = 0
    for brand in _brands(tenant):
        with in_tenant(brand):
            report = check_books()
        figures = ", ".join(f"{name} {value:,}" for name, value in report.figures.items())
        click.echo(f"{brand.slug}: {'ok' if report.ok else 'VIOLATED'} ({figures})")
        for problem in report.problems:
            click.echo(f"  {problem}")
        broken += not report.ok
    if broken:
        raise click.ClickException(f"the books of {broken} brands violate an invariant")


@ledger.command("verify")
@BRAND
@ALL
def verify_command(tenant: str | None, _all: bool) -> None:
    """Walk the chain of seals; exits with 1 and names the first posting that is not as it was sealed."""
    broken = 0
    for brand in _brands(tenant):
        with in_tenant(brand):
            found = verify()
        state = f"BROKEN at {found.broken}" if found.broken else "ok"
        click.echo(
            f"{brand.slug}: {state} (seals {found.seals:,}, sealed {found.sealed:,}, unsealed {found.unsealed:,}, "
            f"head {found.head})"
        )
        broken += found.broken is not None
    if broken:
        raise click.ClickException(f"the chain of {broken} brands is broken")


@ledger.command("reconcile")
@BRAND
@click.option("--day", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day in Beijing.")
def reconcile_command(tenant: str | None, day: datetime) -> None:
    """Compare a day with the provider's bills; exits with 1 when there are differences, or a brand's did not come.

    A brand whose provider fails is named, and the others are compared all the same.
    """
    total, failed = 0, []
    for brand in _brands(tenant):
        try:
            with in_tenant(brand):
                found = reconcile(day.date())
        except (FanyongError, ProviderError) as error:
            failed.append(brand.slug)
            click.echo(f"{brand.slug}: not compared ({error})")
            continue
        click.echo(f"{brand.slug}: {len(found)} differences")
        for item in found:
            click.echo(f"  {item.kind} {item.number}: {item.problem} (here {item.here_fen}, there {item.there_fen})")
        total += len(found)
    if failed:
        raise click.ClickException(f"{total} differences; not compared: {', '.join(failed)}")
    if total:
        raise click.ClickException(f"{total} differences")


def _brands(slug: str | None) -> Iterator[Tenant]:
    brands = [tenant for tenant in live_tenants() if slug in (None, tenant.slug)]
    if slug and not brands:
        raise click.ClickException(f"there is no brand {slug!r}")
    yield from brands
