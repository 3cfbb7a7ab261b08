"""The simulator's Flask application."""

import logging
import threading
from pathlib import Path

import httpx
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from fanyong.wechat.simulator import refunds, transfers, wire
from fanyong.wechat.simulator.control import control_routes
from fanyong.wechat.simulator.crypto import load_platform
from fanyong.wechat.simulator.errors import ApiError, ControlError
from fanyong.wechat.simulator.notifications import Notifier
from fanyong.wechat.simulator.store import Store
from fanyong.wechat.simulator.wire import Simulator, json_answer

TICK_SECONDS = 0.25


class Ticker(threading.Thread):
    """Lets time do its work: transfers that expire, refunds whose delay is over."""

    def __init__(self, store: Store, notifier: Notifier) -> None:
        super().__init__(name="ticker", daemon=True)
        self._store = store
        self._notifier = notifier
        self._closing = threading.Event()

    def run(self) -> None:
        """Look at the clocks until closed."""
        while not self._closing.wait(TICK_SECONDS):
            try:
                with self._store.transaction() as db:
                    transfers.expire_due(db)
                    refunds.settle_due(db)
            except Exception:
                logging.getLogger(__name__).exception("the ticker stumbled and goes on")

    def close(self) -> None:
        """Stop."""
        self._closing.set()
        self.join()


class Running:
    """The application with its threads, from start to close."""

    def __init__(self, data: Path) -> None:
        self._store = Store(data)
        platform = load_platform(self._store)
        self._notifier = Notifier(self._store, platform)
        self._ticker = Ticker(self._store, self._notifier)
        self.app = create_app(Simulator(self._store, platform, self._notifier))
        self._notifier.start()
        self._ticker.start()

    def close(self) -> None:
        """Stop the threads and close the store; what is pending resumes at the next start."""
        self._ticker.close()
        self._notifier.close()
        self._store.close()


def create_app(simulator: Simulator) -> Flask:
    """Return the application: WeChat's doors and the control routes."""
    app = Flask("fanyong.wechat.simulator")
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000
    wire.install(app, simulator)
    app.register_blueprint(control_routes(simulator))

    @app.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        return json_answer({"code": error.code, "message": error.message}, error.status)

    @app.errorhandler(ControlError)
    def refuse_control(error: ControlError) -> Response:
        return json_answer({"error": error.message}, error.status)

    @app.errorhandler(httpx.HTTPError)
    def unreachable(error: httpx.HTTPError) -> Response:
        return json_answer({"error": f"the callback's receiver: {type(error).__name__}"}, 502)

    @app.errorhandler(HTTPException)
    def no_such_door(error: HTTPException) -> Response:
        status = error.code or 500
        if request.path.startswith("/_sim/"):
            return json_answer({"error": error.description}, status)
        return json_answer({"code": "INVALID_REQUEST", "message": error.description}, status)

    return app
