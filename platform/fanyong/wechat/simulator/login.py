"""Mini-program log-ins: codes given out by a control route, exchanged once for an openid."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping

from fanyong.wechat.simulator.errors import ControlError
from fanyong.wechat.simulator.store import Database

CODE_SECONDS = 300


def give_code(db: Database, *, appid: str, user: str) -> dict[str, str]:
    """Play `wx.login` for a user: the same user of an appid always has the same openid."""
    if not db.execute("SELECT 1 FROM merchants WHERE appid = ?", (appid,)).fetchone():
        raise ControlError("no merchant is registered with this appid", status=404)
    digest = hashlib.sha256(f"{appid}\n{user}".encode()).digest()
    openid = "o" + base64.urlsafe_b64encode(digest).decode()[:27]
    code = secrets.token_urlsafe(24)
    db.execute("INSERT OR IGNORE INTO openids VALUES (?, ?)", (appid, openid))
    db.execute("DELETE FROM codes WHERE expires_at < ?", (time.time() - CODE_SECONDS,))
    db.execute("INSERT INTO codes VALUES (?, ?, ?, ?, 0)", (code, appid, openid, time.time() + CODE_SECONDS))
    return {"code": code, "openid": openid}


def exchange(db: Database, arguments: Mapping[str, str]) -> dict[str, str | int]:
    """Answer `/sns/jscode2session`; refusals come with status 200 and an errcode, as WeChat's do."""
    appid = arguments.get("appid", "")
    merchant = db.execute("SELECT app_secret FROM merchants WHERE appid = ?", (appid,)).fetchone()
    if merchant is None:
        return {"errcode": 40013, "errmsg": "invalid appid"}
    if not secrets.compare_digest(merchant["app_secret"].encode(), arguments.get("secret", "").encode()):
        return {"errcode": 40125, "errmsg": "invalid appsecret"}
    if arguments.get("grant_type") != "authorization_code":
        return {"errcode": 40002, "errmsg": "invalid grant_type"}
    row = db.execute(
        "SELECT * FROM codes WHERE code = ? AND appid = ?", (arguments.get("js_code", ""), appid)
    ).fetchone()
    if row is None or row["expires_at"] < time.time():
        return {"errcode": 40029, "errmsg": "invalid code"}
    if row["used"]:
        return {"errcode": 40163, "errmsg": "code been used"}
    db.execute("UPDATE codes SET used = 1 WHERE code = ?", (row["code"],))
    session_key = base64.b64encode(secrets.token_bytes(16)).decode()
    return {"openid": row["openid"], "session_key": session_key}
