"""What the background does for one brand, and when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from redis import Redis
from rq import Queue

from fanyong.jobs import periodic, tending
from fanyong.jobs.tending import Duty
from fanyong.jobs.wake import (
    BRANDS_A_LOOK,
    LOOK_JOB,
    MARK_SECONDS,
    TEND_JOB,
    look_mark,
    queue,
    request_wake,
    wake,
    wake_mark,
)
from fanyong.tenancy.clock import set_test_clock
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

    def run(**duties: tending.Tender | Duty) -> list[str]:
        have_only(monkeypatch, **duties)
        return tending.tend_bound_tenant()

    return run


def have_only(monkeypatch: pytest.MonkeyPatch, **duties: tending.Tender | Duty) -> None:
    """Let the background have no other duties; a bare tender is one that is always called."""
    made = {name: duty if isinstance(duty, Duty) else Duty(duty) for name, duty in duties.items()}
    monkeypatch.setattr(tending, "_duties", made)


def queued(app: Flask) -> list[tuple[str, Any, bool]]:
    """Return the jobs that wait: function, argument, and whether it leaves nothing behind."""
    with app.app_context():
        return [(job.func_name, job.args[0], job.kwargs.get("whole", False)) for job in queue().jobs]


def portions(*sizes: int, calls: list[str] | None = None, name: str = "") -> tending.Tender:
    """Return a tender that does so many things, one call after the other, and then nothing."""
    left = list(sizes)

    def tender() -> int:
        if calls is not None:
            calls.append(name)
        return left.pop(0) if left else 0

    return tender


def test_every_tender_runs_until_none_finds_work(with_tenders: Tenders) -> None:
    calls: list[str] = []
    one, two = portions(1, 5, 1, calls=calls, name="one"), portions(1, calls=calls, name="two")
    assert with_tenders(one=one, two=two) == []
    assert calls == ["one", "two", "one", "two", "one", "one"], "who found nothing is not asked again"


def test_who_says_that_there_is_nothing_is_not_called(with_tenders: Tenders) -> None:
    calls: list[str] = []
    asked = {
        "never": Duty(portions(1, calls=calls, name="never"), "EXISTS (SELECT FROM promoter WHERE tier = 'none')"),
        "once": Duty(portions(1, calls=calls, name="once"), "EXISTS (SELECT FROM promoter)"),
        "unsure": Duty(portions(1, calls=calls, name="unsure"), "(SELECT NULL::boolean)"),
    }
    assert with_tenders(**asked) == []
    assert calls == ["once", "unsure"] * 2


def test_the_questions_are_asked_anew_after_each_round(with_tenders: Tenders) -> None:
    seen: list[str] = []

    def change(nickname: str) -> tending.Tender:
        def run() -> int:
            seen.append(nickname)
            with unit_of_work():
                session().execute(sa.text("UPDATE member SET nickname = :name"), {"name": nickname})
            return 1

        return run

    before = "EXISTS (SELECT FROM member WHERE nickname = '{}')".format
    with unit_of_work():
        session().execute(sa.text("UPDATE member SET nickname = 'm'"))
    assert with_tenders(third=Duty(change("m3"), before("m2")), second=Duty(change("m2"), before("m"))) == []
    assert seen == ["m2", "m3"]


def test_a_question_knows_the_brands_time(with_tenders: Tenders) -> None:
    calls: list[str] = []
    duties = {
        name: Duty(portions(calls=calls, name=name), f"clock.{column} {comparison}")
        for name, column, comparison in (
            ("now", "brand_now", "BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()"),
            ("later", "brand_now", "> clock_timestamp()"),
            ("today", "today", "= (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date"),
        )
    }
    assert with_tenders(**duties) == []
    with unit_of_work():
        set_test_clock(offset_seconds=3 * 86_400, actor="test")
    try:
        assert with_tenders(**duties) == []
    finally:
        with unit_of_work():
            session().execute(sa.text("DELETE FROM brand_setting WHERE key = 'test_clock'"))
    assert calls == ["now", "today", "later"]


def test_what_may_stay_behind_waits_while_others_have_work(with_tenders: Tenders) -> None:
    calls: list[str] = []
    front, behind = portions(1, 1, calls=calls, name="front"), portions(1, calls=calls, name="behind")
    assert with_tenders(behind=Duty(behind, behind=True), front=Duty(front)) == []
    assert calls == ["front"] * 3 + ["behind"] * 2


def test_a_flood_does_not_keep_what_is_behind_from_its_turn(with_tenders: Tenders) -> None:
    calls: list[str] = []
    rounds = tending.ROUNDS_A_JOB
    front = portions(*[1] * (rounds + 1), calls=calls, name="front")
    behind = portions(1, calls=calls, name="behind")
    assert with_tenders(front=Duty(front), behind=Duty(behind, behind=True)) == []
    assert calls[: rounds + 2] == ["front"] * rounds + ["behind", "front"]


def test_questions_that_cannot_be_asked_count_as_yes(with_tenders: Tenders) -> None:
    calls: list[str] = []
    broken = Duty(portions(1, calls=calls, name="broken"), "EXISTS (SELECT FROM no_such_table)")
    other = Duty(portions(1, calls=calls, name="other"), "false")
    assert with_tenders(broken=broken, other=other) == []
    assert calls == ["broken", "other"] * 2


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
    monkeypatch.setattr(tending, "_duties", {})
    tending.register_duty("x", Duty(lambda: 1))
    tending.register_duty("x", Duty(lambda: 2))
    assert [duty.tender() for duty in tending._duties.values()] == [2]


def test_a_job_that_had_problems_fails_and_says_which(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise RuntimeError("no luck")

    have_only(monkeypatch, bad=fails)
    with waiting.app.app_context(), pytest.raises(tending.TendingFailed, match="bad: no luck"):
        tending.tend_tenant(waiting.tenant.id.hex)


def test_a_job_for_a_brand_that_is_gone_does_nothing(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    have_only(monkeypatch, never=lambda: pytest.fail("ran for nobody"))
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

    have_only(monkeypatch, look=look)
    with waiting.app.app_context():
        wake(waiting.tenant.id)
        assert empty_queue.get(wake_mark(waiting.tenant.id)) == b"1"
        tending.tend_tenant(waiting.tenant.id.hex)
    assert marks == [None]


def test_a_job_of_a_wake_up_leaves_behind_what_a_tick_does(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    front, behind = portions(calls=calls, name="front"), portions(calls=calls, name="behind")
    have_only(monkeypatch, front=front, behind=Duty(behind, behind=True))
    with waiting.app.app_context():
        tending.tend_tenant(waiting.tenant.id.hex)
        assert calls == ["front"]
        tending.tend_tenant(waiting.tenant.id.hex, whole=True)
    assert calls == ["front", "front", "behind"]


@pytest.mark.parametrize("whole", [False, True])
def test_what_a_job_leaves_of_a_flood_queues_up_again(
    waiting: Waiting, empty_queue: Redis, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    empty_queue.flushdb()
    have_only(monkeypatch, flood=portions(*[1] * (tending.ROUNDS_A_JOB + 1)))
    with waiting.app.app_context():
        tending.tend_tenant(waiting.tenant.id.hex, whole=whole)
    assert queued(waiting.app) == [(TEND_JOB, waiting.tenant.id.hex, whole)]
    empty_queue.flushdb()
    with waiting.app.app_context():
        tending.tend_tenant(waiting.tenant.id.hex, whole=whole)
    assert queued(waiting.app) == [], "nothing is left"


def test_a_wake_up_is_sent_after_the_commit_and_not_before(inside: Waiting) -> None:
    with unit_of_work():
        request_wake()
        session().flush()
        assert queued(inside.app) == []
        with session().begin_nested():
            session().execute(sa.text("SELECT 1"))
        assert queued(inside.app) == [], "the end of a savepoint is no commit"
    assert queued(inside.app) == [(TEND_JOB, inside.tenant.id.hex, False)]


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
    assert queued(inside.app) == [(TEND_JOB, inside.tenant.id.hex, False)]


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


def test_a_tick_has_every_brand_looked_at_and_nothing_of_the_pool(waiting: Waiting, empty_queue: Redis) -> None:
    empty_queue.flushdb()
    with waiting.app.app_context():
        alive = live_tenants()
        assert tending.tick() == len(alive)
        assert tending.tick() == len(alive)
    assert queued(waiting.app) == [(LOOK_JOB, [tenant.id.hex for tenant in alive], False)]


def test_many_brands_are_looked_at_some_at_a_time(
    waiting: Waiting, empty_queue: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_queue.flushdb()
    many = [replace(waiting.tenant, id=uuid4()) for _ in range(2 * BRANDS_A_LOOK + 1)]
    monkeypatch.setattr(tending, "live_tenants", lambda: many)
    with waiting.app.app_context():
        assert tending.tick() == len(many)
    looks = [argument for _function, argument, _whole in queued(waiting.app)]
    assert [len(look) for look in looks] == [BRANDS_A_LOOK, BRANDS_A_LOOK, 1]
    assert [hexes for look in looks for hexes in look] == [tenant.id.hex for tenant in many]


def test_a_look_wakes_whom_it_finds_something_for(waiting: Waiting, empty_queue: Redis) -> None:
    brand = waiting.tenant
    with waiting.app.app_context():
        with in_tenant(brand):
            assert tending.tend_bound_tenant() == []
        empty_queue.flushdb()
        tending.tick()
        assert empty_queue.get(look_mark([brand.id])) == b"1"
        assert tending.look_at([brand.id.hex, uuid4().hex]) == 0
        assert empty_queue.get(look_mark([brand.id])) is None
    empty_queue.flushdb()
    waiting.ask_again()
    empty_queue.flushdb()
    with waiting.app.app_context():
        assert tending.look_at([brand.id.hex]) == 1
        # A wake-up that is on its way does less, and keeps no tick back.
        wake(brand.id)
        assert tending.look_at([brand.id.hex]) == 1
    assert queued(waiting.app) == [(TEND_JOB, brand.id.hex, True), (TEND_JOB, brand.id.hex, False)]


def test_what_the_scheduler_queues_can_be_imported_by_a_worker(jobs_app: Flask, empty_queue: Redis) -> None:
    with jobs_app.app_context():
        work: Queue = queue()
        for job in periodic.JOBS:
            queued_job = work.enqueue(job.function)
            assert queued_job.func is job.function
            assert job.every_seconds < job.timeout_seconds
