"""Every benchmark, one after another: `make bench`, or `make bench ARGS="inbound statements"` for some of them.

Each is a process of its own on services of its own, so that none finds what another left. Exits with 1 where one missed an
aim or failed, after all have run. Nothing else should run beside them: they share the machine with what they measure.
"""

import subprocess
import sys
from collections.abc import Sequence

from embedded.places import PROJECT

# Those that start their services themselves.
_BY_ITSELF = frozenset({"inbound"})
NAMES = ("inbound", "statements", "reward_list", "importing", "deliveries", "issuing")


def main(names: Sequence[str]) -> int:
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise SystemExit(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}.")
    missed = [name for name in names if not _reached(name)]
    print(f"\nMissed: {', '.join(missed)}" if missed else "\nEvery aim is reached.", flush=True)
    return 1 if missed else 0


def _reached(name: str) -> bool:
    print(f"\n{name}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    services = [] if name in _BY_ITSELF else [sys.executable, "-m", "embedded.throwaway"]
    return subprocess.run([*services, *command], cwd=PROJECT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or NAMES))
