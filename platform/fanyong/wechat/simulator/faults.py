"""What goes wrong on request: refusals, silence, lost, late or badly signed answers."""

import socket
from dataclasses import dataclass

from flask import request

from fanyong.wechat.simulator.store import Database


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault that was asked for; `seconds` is how long the answer hangs or is late."""

    kind: str
    status: int
    code: str
    seconds: float


def take(db: Database, *, path: str, mchid: str) -> Fault | None:
    """Use up one occurrence of the oldest fault that matches the request."""
    row = db.execute(
        "SELECT * FROM faults WHERE times > 0 AND substr(?, 1, length(match)) = match"
        " AND (mchid IS NULL OR mchid = ?) ORDER BY id LIMIT 1",
        (path, mchid),
    ).fetchone()
    if row is None:
        return None
    db.execute("UPDATE faults SET times = times - 1 WHERE id = ?", (row["id"],))
    db.execute("DELETE FROM faults WHERE times = 0")
    return Fault(kind=row["kind"], status=row["status"], code=row["code"], seconds=row["seconds"])


def cut_connection() -> None:
    """Break the connection of the current request, so that its answer reaches nobody."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
