"""Bank cards by file: a batch goes to the bank as CSV, and the bank's result file comes back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Literal, Self

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from fanyong.hooks import PayoutChannelPlugin, PluginKind, hookimpl
from fanyong.values import PayoutFile, PayoutOrder, PayoutResult, PayoutTraits
from fanyong.web.money import NotANumber, hundredths, parse_yuan

Outcome = Literal["paid", "failed", "pending", "returned"]
#: No control characters, commas or quotes, and nothing that a spreadsheet takes for a formula.
PLAIN = r'^[^\x00-\x1f=+@\-,"][^\x00-\x1f,"]*$'
_WORDS = r"^[^\x00-\x1f]+$"
#: Marks that banks and spreadsheets put before a long number to keep it a text.
_MARKS = "'`\t "


class Settings(BaseModel):
    """The form of the bank's files; every bank has names of its own for the same columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_fen: int = Field(
        default=100, ge=1, le=100_000_000, title=_l("Least payout"), json_schema_extra={"unit": "fen"}
    )
    remark: str = Field(default="推广佣金", max_length=20, title=_l("Remark"))
    encoding: Literal["gb18030", "utf-8-sig"] = Field(
        default="utf-8-sig",
        title=_l("Encoding of the file"),
        json_schema_extra={"labels": {"gb18030": "GB 18030 (GBK)", "utf-8-sig": "UTF-8"}},
    )
    number_column: str = Field(default="业务参考号", max_length=40, pattern=_WORDS, title=_l("Column of the number"))
    amount_column: str = Field(default="金额", max_length=40, pattern=_WORDS, title=_l("Column of the amount"))
    state_column: str = Field(
        default="处理结果",
        max_length=40,
        pattern=_WORDS,
        title=_l("Column of the outcome"),
        description=_l("In the file that comes back from the bank."),
    )
    reason_column: str = Field(default="失败原因", max_length=40, pattern=_WORDS, title=_l("Column of the reason"))
    paid_word: str = Field(default="成功", max_length=20, pattern=_WORDS, title=_l("Word for paid"))
    failed_word: str = Field(default="失败", max_length=20, pattern=_WORDS, title=_l("Word for failed"))
    pending_word: str = Field(default="处理中", max_length=20, pattern=_WORDS, title=_l("Word for not finished"))
    returned_word: str = Field(
        default="退票",
        max_length=20,
        pattern=_WORDS,
        title=_l("Word for sent back"),
        description=_l("The payout had arrived, and the payee's bank sent it back later."),
    )

    @model_validator(mode="after")
    def _tell_apart(self) -> Self:
        columns = (self.number_column, self.amount_column, self.state_column, self.reason_column)
        words = (self.paid_word, self.failed_word, self.pending_word)
        # Some banks have one word for what failed and what came back; it then is read as failed.
        is_taken = self.returned_word in (self.paid_word, self.pending_word)
        if len(set(columns)) < len(columns) or len(set(words)) < len(words) or is_taken:
            raise ValueError("columns and words have to differ from each other")
        return self


class Payee(BaseModel):
    """A bank card and its holder."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=64, pattern=PLAIN, title=_l("Name of the card holder"))
    card_number: str = Field(min_length=12, max_length=25, title=_l("Card number"))
    bank: str = Field(min_length=2, max_length=64, pattern=PLAIN, title=_l("Bank"))
    phone: str = Field(default="", pattern=r"^(1[0-9]{10})?$", title=_l("Mobile number"))

    @field_validator("card_number")
    @classmethod
    def _check_digit(cls, value: str) -> str:
        digits = "".join(value.split())
        if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19 and _luhn(digits)):
            raise ValueError("this card number has a typing error")
        return digits


class PayoutBank:
    """The payout channel `payout_bank`."""

    name = "payout_bank"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "payout_channel"
    title = _l("Bank card")
    summary = _l("Batches go to your bank as a file; its result file books them.")
    settings_model = Settings

    @hookimpl
    def payout_traits(self, settings: Settings) -> PayoutTraits:
        """Return how a bank delivers."""
        return PayoutTraits(
            "file",
            minimum_fen=settings.minimum_fen,
            account_field="card_number",
            name_field="name",
            remark=settings.remark,
        )

    @hookimpl
    def payee_model(self, settings: Settings) -> type[BaseModel]:
        """Return what a payee has to tell."""
        return Payee

    @hookimpl
    def export_payouts(self, settings: Settings, orders: Sequence[PayoutOrder]) -> PayoutFile:
        """Return the batch as CSV, one row a payout, amounts in yuan.

        Raises ValueError for a row that the encoding has no characters for: a wrong name would go to the bank.
        """
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(("序号", settings.number_column, "户名", "账号", "开户行", settings.amount_column, "附言"))
        for row, order in enumerate(orders, 1):
            payee = order.payee
            amount = hundredths(order.net_fen)
            writer.writerow(
                (row, order.number, payee["name"], payee["card_number"], payee["bank"], amount, order.remark)
            )
        return PayoutFile("payouts.csv", out.getvalue().encode(settings.encoding))

    @hookimpl
    def read_results(self, settings: Settings, content: bytes) -> Sequence[PayoutResult]:
        """Return the rows of the bank's result file; raises ValueError where it would have to guess."""
        rows = csv.reader(io.StringIO(_decoded(content)))
        return list(_results(settings, rows))


def _results(settings: Settings, rows: Iterator[list[str]]) -> Iterator[PayoutResult]:
    """Find the header, below whatever the bank writes above it, and read what follows."""
    columns: dict[str, int] = {}
    for line, cells in enumerate(rows, 1):
        texts = [cell.strip(_MARKS) for cell in cells]
        if not columns:
            if settings.number_column in texts and settings.state_column in texts:
                columns = {text: at for at, text in enumerate(texts)}
            continue
        number = _cell(texts, columns, settings.number_column)
        if number:
            yield PayoutResult(
                number.lower(),
                _outcome(settings, _cell(texts, columns, settings.state_column), line=line),
                _amount(_cell(texts, columns, settings.amount_column), line=line),
                _cell(texts, columns, settings.reason_column)[:200],
            )
    if not columns:
        raise ValueError(f"there is no row with the columns {settings.number_column} and {settings.state_column}")


def _cell(texts: Sequence[str], columns: dict[str, int], name: str) -> str:
    at = columns.get(name)
    return texts[at] if at is not None and at < len(texts) else ""


def _outcome(settings: Settings, word: str, *, line: int) -> Outcome:
    words: dict[str, Outcome] = {
        settings.returned_word: "returned",
        settings.paid_word: "paid",
        settings.failed_word: "failed",
        settings.pending_word: "pending",
    }
    if word not in words:
        raise ValueError(f"line {line}: the outcome {word!r} is none of the known words")
    return words[word]


def _amount(text: str, *, line: int) -> int | None:
    try:
        return parse_yuan(text) if text else None
    except NotANumber:
        raise ValueError(f"line {line}: the amount {text!r} cannot be read") from None


def _decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8 or, as most Chinese banks have it, GB 18030."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError("the file is neither UTF-8 nor GB 18030 text")


def _luhn(digits: str) -> bool:
    """Tell whether the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    doubled = [int(d) * (1 + at % 2) for at, d in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


plugin: PayoutChannelPlugin[Settings] = PayoutBank()
