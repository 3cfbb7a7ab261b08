"""Real worker and scheduler processes: brands are tended, lost wake-ups found again, and crashes survived."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
from redis import Redis
from rq.job import Job
from rq.registry import FailedJobRegistry

from fanyong.jobs.tending import tick
from fanyong.jobs.wake import QUEUE, queue, wake
from tests.jobs.conftest import Processes, Waiting, wait_until


def test_a_worker_does_what_was_asked_for_and_ends_when_told(waiting: Waiting, processes: Processes) -> None:
    worker = processes.start("worker")
    wait_until(waiting.is_done, words=processes.words)
    waiting.ask_again()
    wait_until(waiting.is_done, words=processes.words)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0, processes.words()


def test_the_scheduler_finds_work_whose_wake_up_was_lost_and_fills_the_pool(
    waiting: Waiting, processes: Processes, empty_queue: Redis, jobs_owner: psycopg.Connection
) -> None:
    empty_queue.flushdb()
    jobs_owner.execute("UPDATE control.tenant SET version = 'used' WHERE state = 'ready'")
    jobs_owner.execute("DELETE FROM control.tenant WHERE state = 'ready'")
    processes.start("worker")
    scheduler = processes.start("scheduler")
    wait_until(waiting.is_done, words=processes.words)

    def ready() -> int:
        row = jobs_owner.execute("SELECT count(*) FROM control.tenant WHERE state = 'ready'").fetchone()
        return row[0] if row else 0

    wait_until(lambda: ready() == 3, words=processes.words)
    # And again, in case the first time was the scheduler's start only.
    waiting.ask_again()
    empty_queue.delete(f"rq:queue:{QUEUE}")
    wait_until(waiting.is_done, words=processes.words)
    scheduler.send_signal(signal.SIGTERM)
    assert scheduler.wait(15) == 0, processes.words()


def test_a_tender_that_fails_shows_as_a_failed_job_and_stops_no_other(
    waiting: Waiting, processes: Processes, jobs_owner: psycopg.Connection
) -> None:
    jobs_owner.execute(f"ALTER TABLE {waiting.tenant.schema}.transfer RENAME TO transfer_gone".encode())
    processes.start("worker")
    wait_until(waiting.is_done, words=processes.words)

    def failed() -> list[str]:
        with waiting.app.app_context():
            registry = FailedJobRegistry(queue=queue())
            jobs = [Job.fetch(job_id, connection=queue().connection) for job_id in registry.get_job_ids()]
            results = [job.latest_result() for job in jobs if job.args == (waiting.tenant.id.hex,)]
        return [result.exc_string or "" for result in results if result is not None]

    wait_until(failed, words=processes.words)
    assert any("TendingFailed: transfers: " in text for text in failed())
    jobs_owner.execute(f"ALTER TABLE {waiting.tenant.schema}.transfer_gone RENAME TO transfer".encode())
    before = len(failed())
    waiting.ask_again()
    with waiting.app.app_context():
        wake(waiting.tenant.id)
    wait_until(waiting.is_done, words=processes.words)
    assert len(failed()) == before


def test_what_a_killed_worker_left_is_done_by_the_next(
    waiting: Waiting, processes: Processes, jobs_owner: psycopg.Connection
) -> None:
    worker = processes.start("worker")
    with jobs_owner.transaction():
        jobs_owner.execute(f"LOCK TABLE {waiting.tenant.schema}.promoter IN ACCESS EXCLUSIVE MODE".encode())

        def is_inside_the_job() -> bool:
            query = (
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass "
                "AND pid <> pg_backend_pid()"
            )
            row = jobs_owner.execute(query, [f"{waiting.tenant.schema}.promoter"]).fetchone()
            return bool(row and row[0])

        wait_until(is_inside_the_job, words=processes.words)
        for pid in [worker.pid, *_children(worker.pid)]:
            os.kill(pid, signal.SIGKILL)
        assert worker.wait(15) == -signal.SIGKILL
    assert not waiting.is_done()

    processes.start("worker")
    with waiting.app.app_context():
        tick()
    wait_until(waiting.is_done, words=processes.words)


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started, as Linux knows them."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
