"""The chart of accounts: how an accountant knows the accounts of the books.

Codes and groups follow the general ledger accounts of the Chinese Accounting Standards for Business Enterprises
(application guidance, appendix): 1012 other monetary funds, 1221 other receivables, 2221 taxes payable, 2241 other
payables, 6051 other operating income, 6601 selling expenses, 6702 credit impairment losses. Brands that keep other
books map these codes to theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenants.ledger.models import AccountName


@dataclass(frozen=True, slots=True)
class Account:
    """An account with its code and its name in both languages; statements carry both, whoever reads them."""

    name: AccountName
    code: str
    chinese: str
    english: str
    #: Whether it normally stands on the debit side: an expense, or something owed to the brand.
    is_debit: bool = False


CHART: tuple[Account, ...] = (
    Account(AccountName.PAID, "1012.01", "其他货币资金—已付推广佣金", "Other monetary funds: commissions paid out"),
    Account(AccountName.DEBT, "1221.01", "其他应收款—推广员欠款", "Other receivables: promoters' debts", is_debit=True),
    Account(AccountName.TAX_WITHHELD, "2221.01", "应交税费—代扣个人所得税", "Taxes payable: income tax withheld"),
    Account(AccountName.ESTIMATED, "2241.01", "其他应付款—预估佣金", "Other payables: commissions, goods not received"),
    Account(AccountName.FROZEN, "2241.02", "其他应付款—待结算佣金", "Other payables: commissions, not released"),
    Account(AccountName.AVAILABLE, "2241.03", "其他应付款—可提现佣金", "Other payables: commissions, available"),
    Account(AccountName.IN_TRANSFER, "2241.04", "其他应付款—提现在途", "Other payables: withdrawals in transfer"),
    Account(AccountName.FEE_INCOME, "6051.01", "其他业务收入—提现手续费", "Other operating income: withdrawal fees"),
    Account(
        AccountName.COMMISSION_EXPENSE, "6601.01", "销售费用—推广佣金", "Selling expenses: commissions", is_debit=True
    ),
    Account(
        AccountName.WRITE_OFF,
        "6702.01",
        "信用减值损失—核销推广员欠款",
        "Credit impairment losses: debts written off",
        is_debit=True,
    ),
)
BY_NAME = {account.name: account for account in CHART}
#: What the brand owes its promoters.
LIABILITIES = (AccountName.ESTIMATED, AccountName.FROZEN, AccountName.AVAILABLE, AccountName.IN_TRANSFER)
