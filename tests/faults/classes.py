"""All classes of faults, by name."""

from __future__ import annotations

from tests.faults.callbacks import Forged, Late, Never, Shuffled, Twice
from tests.faults.conduct import Conduct
from tests.faults.databases import BackendTerminated, CommitLost, DatabaseErrors
from tests.faults.deaths import KilledAtFunction, KilledAtStatement, KilledInEarnest
from tests.faults.postgres import PostgresKilled
from tests.faults.providers import (
    ErrorAnswers,
    LateAnswers,
    LostAnswers,
    LostCalls,
    LyingAnswers,
    NobodyTaps,
    SlowTransfers,
)
from tests.faults.surroundings import QueueAway, QueueEmptied, Raced, WrongClocks

CLASSES: dict[str, type[Conduct]] = {
    kind.name: kind
    for kind in (
        KilledAtFunction,
        KilledAtStatement,
        KilledInEarnest,
        BackendTerminated,
        DatabaseErrors,
        CommitLost,
        PostgresKilled,
        QueueEmptied,
        QueueAway,
        Twice,
        Shuffled,
        Late,
        Never,
        Forged,
        LateAnswers,
        ErrorAnswers,
        LostCalls,
        LostAnswers,
        LyingAnswers,
        NobodyTaps,
        SlowTransfers,
        WrongClocks,
        Raced,
    )
}
