"""Where the money is. Every movement takes from one account what it gives to another.

A merchant has `basic` (what shoppers pay into and refunds come from) and `operation` (what
transfers come from). `users` and `bank` stand for the world outside, so that a merchant's four accounts
always add up to zero.
"""

from fanyong.wechat.simulator.errors import ApiError
from fanyong.wechat.simulator.store import Database, Merchant

BASIC, OPERATION, USERS, BANK = "basic", "operation", "users", "bank"
OPENING_FEN = 1_000_000_000


def open_accounts(db: Database, merchant: Merchant) -> None:
    """Open a new merchant's accounts, with ten million yuan to transfer."""
    if db.execute("SELECT 1 FROM accounts WHERE mchid = ?", (merchant.mchid,)).fetchone():
        return
    for name in (BASIC, OPERATION, USERS, BANK):
        db.execute("INSERT INTO accounts (mchid, name) VALUES (?, ?)", (merchant.mchid, name))
    set_balance(db, merchant, account=OPERATION, balance_fen=OPENING_FEN)


def set_balance(db: Database, merchant: Merchant, *, account: str, balance_fen: int) -> None:
    """Bring an account to a balance by a movement from or to the merchant's bank."""
    difference = balance_fen - balance(db, merchant.mchid, account)[0]
    source, target = (BANK, account) if difference > 0 else (account, BANK)
    if difference:
        kind = "deposit" if difference > 0 else "withdrawal"
        move(db, merchant, kind=kind, source=source, target=target, amount_fen=abs(difference))


def balance(db: Database, mchid: str, account: str) -> tuple[int, int]:
    """Return (balance, part of it that is held) of an account."""
    row = db.execute(
        "SELECT balance_fen, held_fen FROM accounts WHERE mchid = ? AND name = ?", (mchid, account)
    ).fetchone()
    return row["balance_fen"], row["held_fen"]


def hold(db: Database, mchid: str, *, account: str, amount_fen: int) -> None:
    """Set money aside for a refund or transfer that was accepted, or refuse with NOT_ENOUGH."""
    whole, held = balance(db, mchid, account)
    if whole - held < amount_fen:
        raise ApiError(403, "NOT_ENOUGH", "the account's available balance is too small")
    _change(db, mchid, account, held_fen=amount_fen)


def release(db: Database, mchid: str, *, account: str, amount_fen: int) -> None:
    """Free money that was held, because nothing came of it or because it now moves."""
    _change(db, mchid, account, held_fen=-amount_fen)


def move(
    db: Database,
    merchant: Merchant,
    *,
    kind: str,
    source: str,
    target: str,
    amount_fen: int,
    wechat_no: str = "",
    our_no: str = "",
) -> None:
    """Move money between two accounts of a merchant and write it down."""
    mchid = merchant.mchid
    source_balance = _change(db, mchid, source, balance_fen=-amount_fen)
    target_balance = _change(db, mchid, target, balance_fen=amount_fen)
    db.execute(
        "INSERT INTO movements (mchid, at, kind, source, target, amount_fen, wechat_no, our_no,"
        " source_balance_fen, target_balance_fen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            mchid,
            merchant.now(),
            kind,
            source,
            target,
            amount_fen,
            wechat_no,
            our_no,
            source_balance,
            target_balance,
        ),
    )


def _change(db: Database, mchid: str, account: str, *, balance_fen: int = 0, held_fen: int = 0) -> int:
    row = db.execute(
        "UPDATE accounts SET balance_fen = balance_fen + ?, held_fen = held_fen + ?"
        " WHERE mchid = ? AND name = ? RETURNING balance_fen",
        (balance_fen, held_fen, mchid, account),
    ).fetchone()
    return int(row["balance_fen"])
