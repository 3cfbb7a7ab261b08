"""The simulator as a process: killed at any moment, it goes on where it was."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanyong.wechat.gateway import WeChatGateway
from fanyong.wechat.simulator.process import SimulatorHandle, running_simulator
from tests.wechat.parts import Receiver, Shop


@pytest.fixture
def handle(tmp_path: Path) -> Iterator[SimulatorHandle]:
    """A simulator of this test's own."""
    with running_simulator(tmp_path / "wechat.sqlite3") as running:
        yield running


@pytest.fixture
def own(handle: SimulatorHandle, receiver: Receiver, key_pair: tuple[str, str]) -> Shop:
    """A merchant on it."""
    credentials = handle.control.open_merchant(key_pair=key_pair)
    return Shop(handle.control, credentials, WeChatGateway(credentials), receiver)


def test_killed_it_keeps_its_state_and_its_pending_callbacks(handle: SimulatorHandle, own: Shop) -> None:
    own.receiver.always = 500
    own.simulator.pay(own.order("order1"))
    own.transfer("bill1")
    own.simulator.fault("/v3/refund", kind="error")
    before = own.callback()
    ledger = own.simulator.ledger(own.mchid)
    handle.kill()
    while not own.receiver.received.empty():
        own.receiver.received.get()
    own.receiver.always = 204
    handle.restart()

    assert own.callback() == before
    restarted = own.simulator.ledger(own.mchid)
    assert restarted | {"now": ""} == ledger | {"now": ""}
    assert len(own.simulator.ask("GET", "faults")) == 1
    found = own.gateway.query_order(out_trade_no="order1")
    assert found is not None
    assert found.is_paid
    assert own.transfer("bill1").state == "WAIT_USER_CONFIRM"
    key = own.simulator.ask("GET", "platform-key")
    assert key["public_key_id"] == own.credentials.public_key_id


def test_a_transfer_expires_while_nobody_is_there(handle: SimulatorHandle, own: Shop) -> None:
    own.transfer("bill1")
    own.simulator.set_callbacks(own.mchid, mode="never")
    handle.kill()
    handle.restart()
    own.simulator.set_callbacks(own.mchid, mode="normal")
    own.simulator.set_clock(own.mchid, offset_seconds=24 * 3600)
    assert own.callback().resource["fail_reason"] == "OVERDUE_CLOSE"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    handle = SimulatorHandle(tmp_path / "wechat.sqlite3")
    handle._process.send_signal(number)
    assert handle._process.wait(60) == 0
    handle.stop()


def test_a_taken_port_is_an_error_that_ends_it(handle: SimulatorHandle, tmp_path: Path) -> None:
    port = handle.url.rpartition(":")[2]
    command = [sys.executable, "-m", "fanyong.wechat.simulator", "--port", port]
    done = subprocess.run(
        [*command, "--data", str(tmp_path / "second.sqlite3")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2] / "platform")},
    )
    assert done.returncode != 0
    assert port in done.stderr
    with pytest.raises(RuntimeError, match="did not start"):
        SimulatorHandle(tmp_path / "third.sqlite3", port=int(port))
