"""What happened in a brand, written with the change itself, and who reacts to it in the same transaction."""

from fanyong.events.bus import Handler, publish, subscribe
from fanyong.events.models import Event

__all__ = ["Event", "Handler", "publish", "subscribe"]
