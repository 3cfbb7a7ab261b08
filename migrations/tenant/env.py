"""The tenant stream is never run by Alembic itself: `fanyong.tenancy.migrate` renders it and replays it per brand."""

raise SystemExit("use `flask tenants migrate`: it brings every brand to the head, each in its own transaction")
