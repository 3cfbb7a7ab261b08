"""Playing many trials, in as many processes as there are cores for it; each has its own database and simulator."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait

from cryptography.fernet import Fernet

from tests.faults import report
from tests.faults.classes import CLASSES
from tests.faults.lab import open_lab
from tests.faults.schedule import Ticket, halves
from tests.faults.trial import run_trial
from tests.faults.verdict import Outcome


def play(planned: Sequence[Ticket], *, processes: int) -> list[Outcome]:
    """Play trials in processes of their own; return what became of each, in the order of their seeds."""
    os.environ.setdefault("ENCRYPTION_KEY", Fernet.generate_key().decode())
    context = multiprocessing.get_context("spawn")
    running: dict[Connection, multiprocessing.process.BaseProcess] = {}
    for number, share in enumerate(halves(planned, processes)):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=play_share, args=(number, share, writer))
        process.start()
        writer.close()
        running[reader] = process
    outcomes: list[Outcome] = []
    while running:
        for reader in wait(list(running)):
            assert isinstance(reader, Connection)
            try:
                outcomes.append(reader.recv())
            except EOFError:
                running.pop(reader).join()
                continue
            _show(outcomes)
    return sorted(outcomes, key=lambda outcome: outcome.seed)


def play_share(number: int, share: Sequence[Ticket], results: Connection) -> None:
    """Play a part of the trials on a database of this process's own."""
    # What the product logs about faults that were made on purpose is of no use to anybody here.
    logging.disable(logging.CRITICAL)
    servers = {"maintenance_url": os.environ["TEST_DATABASE_URL"], "redis_url": os.environ["TEST_REDIS_URL"]}
    with open_lab(number, **servers) as lab:
        for ticket in share:
            results.send(run_trial(lab, CLASSES[ticket.fault], ticket.seed))
    results.close()


def say(text: str) -> None:
    """Say something to whoever watches; standard output is for the results."""
    print(text, file=sys.stderr, flush=True)


def _show(outcomes: Sequence[Outcome]) -> None:
    last = outcomes[-1]
    if last.wrong:
        say(f"  {last.fault}: {last.what}\n    {report.again(last)}")
    elif len(outcomes) % 100 == 0:
        say(f"  {len(outcomes)} played")
