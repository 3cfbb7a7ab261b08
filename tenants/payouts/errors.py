"""Why a withdrawal cannot be, in sentences with the figures."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError


class WithdrawalBelowMinimum(FanyongError):
    code = "withdrawal_below_minimum"
    status = 422
    message = _l("The least you can withdraw is %(minimum)s.")


class WithdrawalAboveMaximum(FanyongError):
    code = "withdrawal_above_maximum"
    status = 422
    message = _l("The most you can withdraw in one go is %(maximum)s.")


class PayeeDayAmount(FanyongError):
    code = "payee_day_amount"
    status = 422
    message = _l("You can withdraw %(limit)s a day; today %(left)s is left.")


class PayeeDayCount(FanyongError):
    code = "payee_day_count"
    status = 422
    message = _l("You can make %(limit)s withdrawals a day. Please come back tomorrow.")


class BrandDayAmount(FanyongError):
    code = "brand_day_amount"
    status = 422
    message = _l("The shop pays out %(limit)s a day; today %(left)s is left. Please come back tomorrow.")


class NotAPayoutDay(FanyongError):
    code = "not_a_payout_day"
    status = 422
    message = _l("Today the shop takes no withdrawals. The next day for them is %(day)s.")


class NothingLeft(FanyongError):
    code = "nothing_left"
    status = 422
    message = _l(
        "Of %(amount)s, tax takes %(tax)s and the fee %(fee)s; %(net)s would be left, and %(minimum)s is the least "
        "that can be paid out."
    )


class AboveChannelMaximum(FanyongError):
    code = "above_channel_maximum"
    status = 422
    message = _l("This way of payment carries %(maximum)s at most in one go.")


class NotEnoughAvailable(FanyongError):
    code = "not_enough_available"
    status = 422
    message = _l("You have %(available)s to withdraw.")


class WithdrawalBlockedByDebt(FanyongError):
    code = "withdrawal_blocked_by_debt"
    status = 409
    message = _l("You owe %(debt)s from refunded orders. Your next commissions repay it first.")


class PromoterFrozen(FanyongError):
    code = "promoter_frozen"
    status = 403
    message = _l("Withdrawals are on hold for this account. Please contact the shop.")


class PayeeFrozen(FanyongError):
    code = "payee_frozen"
    status = 409
    message = _l("This promoter is frozen. Unfreeze the promoter first, or give the money of the withdrawal back.")


class PayeeInDebt(FanyongError):
    code = "payee_in_debt"
    status = 409
    message = _l(
        "This promoter owes %(debt)s from refunded orders. Give the money of the withdrawal back: it repays that first."
    )


class RealNameMissing(FanyongError):
    code = "real_name_missing"
    status = 422
    message = _l("From %(amount)s on, the real name of the payee is needed.")


class UnknownChannel(FanyongError):
    code = "unknown_channel"
    status = 422
    message = _l("The shop does not pay out this way.")


class LastChannel(FanyongError):
    code = "last_channel"
    status = 409
    message = _l("At least one way to pay out stays open.")


class PayeeMissing(FanyongError):
    code = "payee_missing"
    status = 422
    message = _l("Please say first where the money should go.")


class BadPayee(FanyongError):
    """What the payee told cannot be right; `details` is a list of {path, message}."""

    code = "bad_payee"
    status = 422
    message = _l("Some of this cannot be right. Please check it.")


class WrongWithdrawalState(FanyongError):
    code = "wrong_withdrawal_state"
    status = 409
    message = _l("This withdrawal has been decided on already.")


class WithdrawalHeld(FanyongError):
    code = "withdrawal_held"
    status = 409
    message = _l("This withdrawal is held for a review. Release or reject it first.")


class SamePersonTwice(FanyongError):
    code = "same_person_twice"
    status = 403
    message = _l("You have approved this withdrawal already. From %(amount)s on, a second person has to.")


class RejectNeedsReason(FanyongError):
    code = "reason_missing"
    status = 422
    message = _l("Please give a reason.")


class ProofMissing(FanyongError):
    code = "proof_missing"
    status = 422
    message = _l("Please enter the number of the receipt or the bank's transaction.")


class PaidByProvider(FanyongError):
    code = "paid_by_provider"
    status = 409
    message = _l("WeChat Pay pays this withdrawal and says itself how it ended.")


class NothingToPay(FanyongError):
    code = "nothing_to_pay"
    status = 422
    message = _l("No approved withdrawal waits for a batch.")


class UnwritableFile(FanyongError):
    code = "unwritable_file"
    status = 422
    message = _l("The file cannot be written: %(problem)s.")


class UnreadableResults(FanyongError):
    code = "unreadable_results"
    status = 422
    message = _l("This file cannot be read: %(problem)s.")


class NoDebt(FanyongError):
    code = "no_debt"
    status = 409
    message = _l("This promoter owes %(debt)s, which is less than you want to write off.")


class NotTheFirstOfAMonth(FanyongError):
    code = "not_the_first_of_a_month"
    status = 422
    message = _l("A tax policy begins on the first day of a month, of this one or a later one.")


class BadPolicy(FanyongError):
    """Parameters that cannot be; `details` is a list of {path, message}."""

    code = "bad_policy"
    status = 422
    message = _l("These parameters cannot work. Nothing was changed.")
