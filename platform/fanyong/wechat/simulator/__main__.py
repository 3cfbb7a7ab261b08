"""Run the simulator: `python -m fanyong.wechat.simulator --port N --data FILE.sqlite3`."""

import argparse
import logging
import signal
import sys
from pathlib import Path
from types import FrameType

from werkzeug.serving import make_server

from fanyong.wechat.simulator.app import Running


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    arguments = _arguments()
    # One line per request would drown the rest, and addresses of log-ins carry secrets.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    arguments.data.parent.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _stop)
    running = Running(arguments.data)
    try:
        server = make_server(arguments.host, arguments.port, running.app, threaded=True)
        try:
            print(f"simulator listening on http://{arguments.host}:{server.server_port}", flush=True)
            server.serve_forever(poll_interval=0.2)
        finally:
            server.server_close()
    except KeyboardInterrupt:
        sys.exit(0)
    finally:
        running.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fanyong.wechat.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="the SQLite file that holds the state")
    return parser.parse_args()


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
