"""The `flask` commands of the core: set-up, brands, worker, scheduler."""

from __future__ import annotations

import json
import os
import time
from uuid import UUID

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from flask_migrate import upgrade
from rq import SimpleWorker
from rq.cron import CronScheduler

from fanyong.config import Settings
from fanyong.identity import service as identity
from fanyong.identity.models import StaffUser
from fanyong.jobs import periodic
from fanyong.jobs.wake import QUEUE, queue, redis
from fanyong.signup.service import sign_up
from fanyong.tenancy import migrate, provision
from fanyong.tenancy.check import drifted_schemas
from fanyong.tenancy.database import db, unit_of_work
from fanyong.tenancy.directory import live_tenants
from fanyong.tenancy.models import TenantRecord

tenants = AppGroup("tenants", help="Create, list, migrate and check brands.")


def init_cli(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli.add_command(tenants)
    for command in (setup, worker, scheduler):
        app.cli.add_command(command)


def settings() -> Settings:
    """Return the application's settings."""
    value: Settings = current_app.extensions["settings"]
    return value


def owner_dsn() -> str:
    """Return the connection string of the role that owns all schemas."""
    return migrate.driver_dsn(settings().database_url)


def build_schema() -> UUID:
    """Build one more schema for the pool."""
    return provision.build_schema(owner_dsn(), login_role=_login_role())


@click.command()
@with_appcontext
def setup() -> None:
    """Prepare the database: logins, both migration streams, staff account, pool. Safe to repeat."""
    provision.ensure_tenant_login(
        owner_dsn(), provision.tenant_login(settings().database_url, secret_key=settings().secret_key)
    )
    upgrade(directory=current_app.extensions["migrate"].directory)
    failed = _migrate_tenants()
    _ensure_superadmin()
    built = provision.refill_pool(owner_dsn(), login_role=_login_role())
    click.echo(f"{built} schemas built for the pool")
    if failed:
        raise click.ClickException(f"{failed} brands could not be migrated; `flask tenants list` names them")


@click.command()
@with_appcontext
def worker() -> None:
    """Work off jobs until stopped."""
    # Jobs run in this process: a fork and two new database connections a job would cost more than most jobs do.
    # More workers are more processes; one that dies leaves only hints behind, which the next tick replaces.
    SimpleWorker([queue()], connection=redis()).work(with_scheduler=False, logging_level="WARNING")


@click.command()
@with_appcontext
def scheduler() -> None:
    """Queue the periodic jobs until stopped."""
    cron = CronScheduler(connection=redis(), logging_level="WARNING")
    for job in periodic.JOBS:
        cron.register(job.function, QUEUE, interval=job.every_seconds, result_ttl=0, job_timeout=job.timeout_seconds)
    cron.start()  # type: ignore[no-untyped-call]


@tenants.command("create")
@click.option("--name", required=True)
@click.option("--slug", required=True, help="The subdomain.")
@click.option("--email", required=True, help="The owner's log-in.")
@click.option("--password", prompt=True, hide_input=True)
def create(name: str, slug: str, email: str, password: str) -> None:
    """Sign a brand up."""
    tenant, _owner = sign_up(name=name, slug=slug, email=email, password=password, build=build_schema)
    click.echo(f"{tenant.slug}  {tenant.schema}  {settings().brand_url(tenant.slug)}/console")


@tenants.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_brands(as_json: bool) -> None:
    """List brands and schemas in the pool with their state and version."""
    rows = db.session.scalars(db.select(TenantRecord).order_by(TenantRecord.id)).all()
    for row in rows:
        values = {
            "slug": row.slug,
            "name": row.name,
            "state": row.state,
            "schema": row.schema_name,
            "version": row.version,
            "error": row.migration_error,
        }
        line = "  ".join(str(value or "-") for value in values.values())
        click.echo(json.dumps(values, ensure_ascii=False) if as_json else line)


@tenants.command("migrate")
def migrate_command() -> None:
    """Bring every schema to the newest version, each in a transaction of its own."""
    failed = _migrate_tenants()
    if failed:
        raise click.ClickException(f"{failed} failed; the others are done. Mend the cause and run it again.")


@tenants.command("check")
def check_command() -> None:
    """Compare every schema with a freshly built one and name those that differ."""
    problems = drifted_schemas(owner_dsn(), build=build_schema)
    for problem in problems:
        click.echo(problem)
    if problems:
        raise click.ClickException(f"{len(problems)} differences")
    click.echo(f"{len(live_tenants())} brands: no differences")


def _migrate_tenants() -> int:
    started, failed, done = time.monotonic(), 0, 0
    for result in migrate.migrate_all(dsn=owner_dsn()):
        done += result.error is None
        failed += result.error is not None
        if result.error:
            click.echo(f"{result.schema} stays at {result.version}: {result.error}", err=True)
    click.echo(f"{done} schemas migrated, {failed} failed, {time.monotonic() - started:.2f} s")
    return failed


def _ensure_superadmin() -> None:
    email, password = os.environ.get("SUPERADMIN_EMAIL"), os.environ.get("SUPERADMIN_PASSWORD")
    if not email or not password:
        return
    with unit_of_work():
        known = db.session.scalar(db.select(StaffUser).where(StaffUser.email == identity.normal_email(email)))
        if known is None:
            identity.create_staff(email, name="Superadmin", password=password, role="superadmin")
        else:
            # The environment says what it is, also after somebody has set another one there.
            identity.set_password(known, password)


def _login_role() -> str:
    login = provision.tenant_login(settings().database_url, secret_key=settings().secret_key)
    return login.username or ""
