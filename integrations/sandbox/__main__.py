"""`python -m integrations.sandbox --port N [--state FILE]`: serve until SIGTERM or Ctrl-C."""

import argparse
import signal
import threading
from pathlib import Path

from integrations.sandbox.providers import STAND_INS
from integrations.sandbox.server import Sandbox
from integrations.sandbox.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(prog="integrations.sandbox", description="The providers' stand-ins.")
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--state", type=Path, help="SQLite file that survives restarts; without it nothing does")
    arguments = parser.parse_args()
    if arguments.state:
        arguments.state.parent.mkdir(parents=True, exist_ok=True)
    store = Store(str(arguments.state) if arguments.state else ":memory:")
    sandbox = Sandbox(arguments.port, store, STAND_INS)

    def stop(*_: object) -> None:
        # shutdown() waits for serve_forever(), which runs in the thread that this handler has interrupted.
        threading.Thread(target=sandbox.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"Stand-ins on {sandbox.url}: {', '.join(STAND_INS)}", flush=True)
    sandbox.serve_forever(poll_interval=0.1)
    sandbox.faults.clear()
    sandbox.server_close()
    store.close()


if __name__ == "__main__":
    main()
