"""WeChat writes its times in Beijing time; the rest of the house thinks in UTC."""

from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")


def rfc3339(moment: datetime) -> str:
    """Return `moment` the way WeChat writes it, in Beijing time with whole seconds."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be sent to WeChat")
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")


def parse_rfc3339(text: str) -> datetime:
    """Return the UTC time that WeChat's `text` names."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"WeChat sent a time without a zone: {text!r}")
    return moment.astimezone(UTC)
