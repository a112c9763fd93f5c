"""`make test`: the whole suite on real services, in a fast pass and a serial one.

The fast pass has one transaction a test and runs on three processes, since some of its tests wait for something; the
serial one holds the tests that start, kill and watch processes of their own, the browser among them.
"""

import os
import sys

from embedded.seeds import services_for_tests
from embedded.throwaway import end_on_signals, run, test_environment

PASSES = (
    ("-n", "3", "--dist", "worksteal", "-m", "not process"),
    ("-m", "process"),
)
NO_TEST_RAN = 5


def main(arguments: list[str]) -> int:
    """Runs both passes, each with pytest's further `arguments`, and returns the first failure's exit code."""
    end_on_signals()
    with services_for_tests() as addresses:
        environment = test_environment() | dict(os.environ) | addresses
        # Rewriting the tests' assertions takes some seconds in each of the processes; what is kept is rewritten once.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        codes = [
            run([sys.executable, "-m", "pytest", *options, "--durations=20", *arguments], environment)
            for options in PASSES
        ]
    # A choice of tests may well lie in one pass alone. The whole suite has tests in both.
    if arguments and NO_TEST_RAN in codes and any(code != NO_TEST_RAN for code in codes):
        codes.remove(NO_TEST_RAN)
    return next((code for code in codes if code != 0), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
