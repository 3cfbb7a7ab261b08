"""Publish an event and let the features that registered react in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from fanyong.events.models import Event
from fanyong.tenancy.database import session

#: A handler gets the object the event is about; an error of its fails the whole unit of work.
Handler = Callable[[Any], None]

_handlers: dict[str, list[Handler]] = defaultdict(list)


def subscribe(event_type: str, handler: Handler) -> None:
    """Call `handler` for each event of a type; registering it again changes nothing."""
    if handler not in _handlers[event_type]:
        _handlers[event_type].append(handler)


def publish(event_type: str, subject: Any, *, object_id: UUID, **data: object) -> None:
    """Write the event and call its handlers with `subject`, in the present unit of work."""
    session().add(Event(type=event_type, object_id=object_id, data=data))
    for handler in _handlers[event_type]:
        handler(subject)
