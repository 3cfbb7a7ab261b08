"""Transfers of commissions from the gateway to the simulator and back."""

from datetime import timedelta
from typing import Any

import pytest

from fanyong.wechat.errors import ErrorKind, WeChatError
from fanyong.wechat.simulator.client import SimulatorRefused
from fanyong.wechat.states import transfer_state
from tests.wechat.parts import Shop

OPENING_FEN = 1_000_000_000


def operation(shop: Shop) -> dict[str, int]:
    """Return the account from which transfers are paid."""
    account: dict[str, int] = shop.simulator.ledger(shop.mchid)["accounts"]["operation"]
    return account


def raw_transfer(shop: Shop, **changes: Any) -> Any:
    """Send a transfer through the library itself, with whatever the gateway would never send."""
    values = {
        "out_bill_no": "bill1",
        "transfer_scene_id": "1005",
        "openid": shop.openid(),
        "transfer_amount": 500,
        "transfer_remark": "佣金",
        "transfer_scene_report_infos": [
            {"info_type": "岗位类型", "info_content": "推广员"},
            {"info_type": "报酬说明", "info_content": "佣金"},
        ],
    }
    client: Any = shop.gateway._client
    return client.mch_transfer_bills(**(values | changes))


def test_a_transfer_waits_for_its_user_and_arrives(shop: Shop) -> None:
    created = shop.transfer("bill1", amount_fen=500)
    assert created.state == "WAIT_USER_CONFIRM"
    assert created.package_info
    assert operation(shop) == {"balance_fen": OPENING_FEN, "held_fen": 500}

    for _ in range(2):
        shop.simulator.transfer(shop.mchid, "bill1", action="confirm")
    callback = shop.callback()
    assert callback.event_type == "MCHTRANSFER.BILL.FINISHED"
    told = transfer_state(callback.resource)
    assert told == shop.gateway.query_transfer(out_bill_no="bill1")
    assert (told.state, told.amount_fen, told.openid) == ("SUCCESS", 500, shop.openid("ben"))
    assert (told.transfer_bill_no, told.is_final) == (created.transfer_bill_no, True)
    assert operation(shop) == {"balance_fen": OPENING_FEN - 500, "held_fen": 0}
    assert len(shop.simulator.notifications(shop.mchid)) == 1


def test_the_same_number_transfers_once(shop: Shop) -> None:
    first, again = shop.transfer("bill1"), shop.transfer("bill1")
    assert first == again
    shop.simulator.transfer(shop.mchid, "bill1", action="confirm")
    done = shop.transfer("bill1")
    # A transfer that is done can no longer open the confirmation page.
    assert (done.state, done.package_info) == ("SUCCESS", None)
    assert shop.simulator.ledger(shop.mchid)["transferred_fen"] == 500


def test_the_same_number_with_another_amount_is_declined(shop: Shop) -> None:
    shop.transfer("bill1")
    with pytest.raises(WeChatError, match="ALREADY_EXISTS"):
        shop.transfer("bill1", amount_fen=501)


def test_an_unconfirmed_transfer_closes_after_a_day(shop: Shop) -> None:
    shop.transfer("bill1")
    shop.advance(timedelta(hours=23))
    waiting = shop.gateway.query_transfer(out_bill_no="bill1")
    assert waiting is not None
    assert waiting.state == "WAIT_USER_CONFIRM"
    shop.advance(timedelta(hours=1))
    told = transfer_state(shop.callback().resource)
    assert (told.state, told.fail_reason) == ("FAIL", "OVERDUE_CLOSE")
    assert operation(shop) == {"balance_fen": OPENING_FEN, "held_fen": 0}
    with pytest.raises(SimulatorRefused, match="already FAIL"):
        shop.simulator.transfer(shop.mchid, "bill1", action="confirm")


@pytest.mark.parametrize(
    ("action", "state", "reason"),
    [
        ("fail", "FAIL", "PAYEE_ACCOUNT_ABNORMAL"),
        ("expire", "FAIL", "OVERDUE_CLOSE"),
        ("cancel", "CANCELLED", None),
    ],
)
def test_a_transfer_that_comes_to_nothing(shop: Shop, action: str, state: str, reason: str | None) -> None:
    shop.transfer("bill1")
    shop.simulator.transfer(shop.mchid, "bill1", action=action)
    told = transfer_state(shop.callback().resource)
    assert (told.state, told.fail_reason) == (state, reason)
    assert operation(shop) == {"balance_fen": OPENING_FEN, "held_fen": 0}


def test_the_merchant_takes_a_transfer_back(shop: Shop) -> None:
    shop.transfer("bill1")
    assert shop.gateway.cancel_transfer(out_bill_no="bill1").state == "CANCELING"
    assert transfer_state(shop.callback().resource).state == "CANCELLED"
    assert shop.gateway.cancel_transfer(out_bill_no="bill1").state == "CANCELLED"


def test_a_confirmed_transfer_cannot_be_taken_back(shop: Shop) -> None:
    shop.transfer("bill1")
    shop.simulator.transfer(shop.mchid, "bill1", action="confirm")
    with pytest.raises(WeChatError, match="INVALID_REQUEST"):
        shop.gateway.cancel_transfer(out_bill_no="bill1")


def test_an_unknown_transfer_is_not_found(shop: Shop) -> None:
    assert shop.gateway.query_transfer(out_bill_no="nothing") is None
    with pytest.raises(WeChatError) as caught:
        shop.gateway.cancel_transfer(out_bill_no="nothing")
    assert caught.value.is_not_found


def test_an_empty_account_transfers_later_with_the_same_number(shop: Shop) -> None:
    shop.simulator.set_funds(shop.mchid, account="operation", balance_fen=900)
    shop.transfer("bill1")
    # What is held for the first is no longer there for the second.
    with pytest.raises(WeChatError, match="NOT_ENOUGH") as caught:
        shop.transfer("bill2")
    assert caught.value.kind is ErrorKind.RETRYABLE
    assert shop.gateway.query_transfer(out_bill_no="bill2") is None
    shop.simulator.transfer(shop.mchid, "bill1", action="fail")
    assert shop.transfer("bill2").state == "WAIT_USER_CONFIRM"


def test_from_two_thousand_yuan_the_name_is_required(shop: Shop) -> None:
    assert shop.transfer("bill1", amount_fen=199_999).state == "WAIT_USER_CONFIRM"
    with pytest.raises(WeChatError, match="name") as caught:
        shop.transfer("bill2", amount_fen=200_000)
    assert caught.value.kind is ErrorKind.DECLINED
    # The name is encrypted anew each time, and still it is the same transfer.
    first = shop.transfer("bill2", amount_fen=200_000, user_name="张三")
    again = shop.transfer("bill2", amount_fen=200_000, user_name="张三")
    assert first == again
    with pytest.raises(WeChatError, match="ALREADY_EXISTS"):
        shop.transfer("bill2", amount_fen=200_000, user_name="李四")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transfer_amount": 9}, "transfer_amount"),
        ({"transfer_remark": "x" * 33}, "transfer_remark"),
        ({"out_bill_no": "bill_1"}, "out_bill_no"),
        ({"out_bill_no": "b" * 33}, "out_bill_no"),
        ({"transfer_scene_report_infos": []}, "transfer_scene_report_infos"),
        ({"transfer_scene_report_infos": [{"info_type": "岗位类型", "info_content": "x"}]}, "报备"),
        ({"transfer_scene_report_infos": [{"info_type": "报酬说明", "info_content": "x"}] * 2}, "报备"),
        ({"user_recv_perception": "红包"}, "user_recv_perception"),
        ({"appid": "wx0000"}, "APPID_MCHID_NOT_MATCH"),
        ({"openid": "somebody"}, "openid"),
        ({"transfer_scene_id": "1000"}, "NO_AUTH"),
    ],
)
def test_a_malformed_transfer_is_refused(shop: Shop, change: dict[str, object], message: str) -> None:
    status, body = raw_transfer(shop, **change)
    assert status in {400, 403}
    assert message in body
    assert operation(shop)["held_fen"] == 0
