"""`lambent`, and `python -m lambent`."""

import sys


def main() -> None:
    """Run the command line."""
    from lambent.cli.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
