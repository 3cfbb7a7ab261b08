"""What the background does for one brand, and when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from redis import Redis
from rq import Queue

from fanyong.jobs import periodic, tending
from fanyong.jobs.wake import MARK_SECONDS, TEND_JOB, queue, request_wake, wake, wake_mark
from fanyong.tenancy.context import NoTenant, current_tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.directory import live_tenants
from fanyong.tenancy.runtime import in_tenant
from tests.jobs.conftest import Waiting

Tenders = Callable[..., list[str]]


@pytest.fixture
def inside(waiting: Waiting, empty_queue: Redis) -> Iterator[Waiting]:
    """The brand, bound, with an empty queue."""
    empty_queue.flushdb()
    with waiting.app.app_context(), in_tenant(waiting.tenant):
        yield waiting


@pytest.fixture
def with_tenders(inside: Waiting, monkeypatch: pytest.MonkeyPatch) -> Tenders:
    """Tend the bound brand with made-up tenders only."""

    def run(**tenders: tending.Tender) -> list[str]:
        monkeypatch.setattr(tending, "_tenders", tenders)
        return tending.tend_bound_tenant()

    return run


def queued(app: Flask) -> list[tuple[str, ...]]:
    """Return the jobs that wait: function and arguments."""
    with app.app_context():
        return [(job.func_name, *job.args) for job in queue().jobs]


def test_every_tender_runs_until_none_finds_work(with_tenders: Tenders) -> None:
    calls: list[str] = []
    left = {"one": 3, "two": 1}

    def tender(name: str) -> tending.Tender:
        def run() -> int:
            calls.append(name)
            left[name] -= 1
            return max(left[name] + 1, 0) and 1

        return run

    assert with_tenders(one=tender("one"), two=tender("two")) == []
    assert calls == ["one", "two"] * 4


def test_a_tender_that_always_finds_work_lets_go_some_time(with_tenders: Tenders) -> None:
    calls: list[int] = []

    def endless() -> int:
        calls.append(1)
        return 1

    assert with_tenders(endless=endless) == []
    assert len(calls) == tending.ROUNDS


def test_a_tender_that_fails_is_named_and_stops_no_other(with_tenders: Tenders) -> None:
    done: list[str] = []

    def fails() -> int:
        done.append("fails")
        raise RuntimeError("no luck")

    def breaks_its_session() -> int:
        session().execute(sa.text("SELECT nonsense"))
        return 0

    def works() -> int:
        done.append("works")
        assert session().scalar(sa.text("SELECT current_schema()")) == current_tenant().schema
        return done.count("works") < 2

    problems = with_tenders(fails=fails, breaks=breaks_its_session, works=works)
    assert done == ["fails", "works", "works"]
    assert problems[0] == "fails: no luck"
    assert problems[1].startswith("breaks: ")
    assert len(problems) == 2


def test_each_tender_has_a_session_of_its_own(with_tenders: Tenders) -> None:
    seen: list[object] = []

    def note() -> int:
        seen.append(session())
        session().info["mark"] = session().info.get("mark", 0) + 1
        seen.append(session().info["mark"])
        return 0

    caller = session()
    assert with_tenders(one=note, two=note) == []
    assert seen[1] == seen[3] == 1
    assert seen[0] is not seen[2]
    assert caller not in (seen[0], seen[2])


def test_registering_a_name_again_replaces_the_tender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "_tenders", {})
    tending.register_tender("x", lambda: 1)
    tending.register_tender("x", lambda: 2)
    assert [tender() for tender in tending._tenders.values()] == [2]


def test_a_job_that_had_problems_fails_and_says_which(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise RuntimeError("no luck")

    monkeypatch.setattr(tending, "_tenders", {"bad": fails})
    with waiting.app.app_context(), pytest.raises(tending.TendingFailed, match="bad: no luck"):
        tending.tend_tenant(waiting.tenant.id.hex)


def test_a_job_for_a_brand_that_is_gone_does_nothing(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "_tenders", {"never": lambda: pytest.fail("ran for nobody")})
    with waiting.app.app_context():
        tending.tend_tenant(uuid4().hex)


def test_the_mark_goes_before_the_work_begins(
    waiting: Waiting, empty_queue: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens while a job runs must be able to queue the next one."""
    marks: list[object] = []

    def look() -> int:
        marks.append(empty_queue.get(wake_mark(waiting.tenant.id)))
        return 0

    monkeypatch.setattr(tending, "_tenders", {"look": look})
    with waiting.app.app_context():
        wake(waiting.tenant.id)
        assert empty_queue.get(wake_mark(waiting.tenant.id)) == b"1"
        tending.tend_tenant(waiting.tenant.id.hex)
    assert marks == [None]


def test_a_wake_up_is_sent_after_the_commit_and_not_before(inside: Waiting) -> None:
    with unit_of_work():
        request_wake()
        session().flush()
        assert queued(inside.app) == []
        with session().begin_nested():
            session().execute(sa.text("SELECT 1"))
        assert queued(inside.app) == [], "the end of a savepoint is no commit"
    assert queued(inside.app) == [(TEND_JOB, inside.tenant.id.hex)]


def test_what_is_rolled_back_wakes_nobody(inside: Waiting) -> None:
    def wish_and_fail() -> None:
        with unit_of_work():
            session().execute(sa.text("SELECT 1"))
            request_wake()
            with session().begin_nested():
                request_wake()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        wish_and_fail()
    assert queued(inside.app) == []
    with unit_of_work():
        session().execute(sa.text("SELECT 1"))
    assert queued(inside.app) == [], "the wish outlived its transaction"


def test_a_savepoint_that_is_rolled_back_keeps_the_wake_up_of_the_whole(inside: Waiting) -> None:
    with unit_of_work():
        request_wake()
        with pytest.raises(sa.exc.ProgrammingError), session().begin_nested():
            session().execute(sa.text("SELECT nonsense"))
    assert queued(inside.app) == [(TEND_JOB, inside.tenant.id.hex)]


def test_work_without_a_wish_wakes_nobody(inside: Waiting) -> None:
    with unit_of_work():
        session().execute(sa.text("SELECT 1"))
    assert queued(inside.app) == []


def test_a_wish_needs_a_brand(jobs_app: Flask) -> None:
    with jobs_app.app_context(), pytest.raises(NoTenant):
        request_wake()


def test_wake_ups_in_a_row_are_one_job(inside: Waiting, empty_queue: Redis) -> None:
    for _ in range(5):
        with unit_of_work():
            session().execute(sa.text("SELECT 1"))
            request_wake()
    assert len(queued(inside.app)) == 1
    assert 0 < empty_queue.ttl(wake_mark(inside.tenant.id)) <= MARK_SECONDS


def test_a_redis_that_is_away_stops_no_commit(
    inside: Waiting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(inside.app.extensions, "redis", Redis(host="127.0.0.1", port=1))
    with unit_of_work():
        session().execute(sa.text("UPDATE promoter SET shared_paid_fen = 7"))
        request_wake()
    assert session().scalar(sa.text("SELECT shared_paid_fen FROM promoter")) == 7
    assert "was lost" in caplog.text


def test_a_tick_wakes_every_brand_and_nothing_of_the_pool(waiting: Waiting, empty_queue: Redis) -> None:
    empty_queue.flushdb()
    with waiting.app.app_context():
        alive = live_tenants()
        assert tending.tick() == len(alive)
        assert tending.tick() == len(alive)
    assert sorted(queued(waiting.app)) == sorted((TEND_JOB, tenant.id.hex) for tenant in alive)


def test_what_the_scheduler_queues_can_be_imported_by_a_worker(jobs_app: Flask, empty_queue: Redis) -> None:
    with jobs_app.app_context():
        work: Queue = queue()
        for job in periodic.JOBS:
            queued_job = work.enqueue(job.function)
            assert queued_job.func is job.function
            assert job.every_seconds < job.timeout_seconds
