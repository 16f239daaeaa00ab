"""`python -m tests.hosts.inside`: run the checks on this host and print one outcome per line."""

import argparse
import contextlib
import tempfile
from pathlib import Path

from tests.hosts.inside.checks import Checks
from tests.hosts.inside.order import ALONE, DEADLINES, ONLY_SERVICES
from tests.hosts.inside.outcomes import NOT_RUN, PASSED, Outcome, run_check
from tests.hosts.inside.served import Served, Service


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", action="store_true", help="the platform is lambent.service")
    parser.add_argument("--shared", action="store_true", help="others run platforms here, too")
    parser.add_argument("--checks", default="", help="names with commas between; default: all")
    options = parser.parse_args()
    # Not /tmp, which may be memory.
    place = {"prefix": "hosts-", "dir": "/var/tmp"}
    with tempfile.TemporaryDirectory(**place, ignore_cleanup_errors=True) as directory:
        work = Path(directory)
        # As /var/lib is: where nothing can be mounted, other users must be able to enter it.
        work.chmod(0o755)
        served = (Service if options.service else Served)(work / "data")
        checks = Checks(served, work, is_shared=options.shared)
        wanted = options.checks.split(",") if options.checks else list(DEADLINES)
        is_up = False
        for name, deadline_s in DEADLINES.items():
            if name not in wanted or (name in ONLY_SERVICES and not options.service):
                continue
            if name not in ALONE and not is_up:
                outcome = Outcome(name, NOT_RUN, "the platform did not start", 0.0)
            else:
                outcome = run_check(name, checks.by_name(name), deadline_s)
            if name == "start":
                is_up = outcome.state == PASSED
            print(outcome.line(), flush=True)
        with contextlib.suppress(Exception):
            served.stop()


if __name__ == "__main__":
    main()
