"""The page that `lambent doctor` prints: a table, advice, and one sentence."""

import sys

from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.verdict import DoctorReport

_STYLES = {"ok": "green", "missing": "yellow", "broken": "bold red"}


def print_report(report: DoctorReport) -> None:
    """Print it on stdout: in colour on a terminal, as whole lines elsewhere."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("check", "state", "found"):
        table.add_column(column, overflow="fold")
    section = ""
    for check in report.checks:
        if check.section != section:
            section = check.section
            table.add_row(Text(section.upper(), style="bold"), "", "")
        table.add_row(check.name, Text(check.state, style=_STYLES[check.state]), _found(check))
    is_terminal = sys.stdout.isatty()
    out = Console(highlight=False, markup=False, width=None if is_terminal else 1000)
    with out.capture() as captured:
        out.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())
    wrong = sorted((check for check in report.checks if check.fix), key=_urgency)
    if wrong:
        print("\nWhat to do:")
    for check in wrong:
        lines = check.fix.split("\n")
        if len(lines) == 1:
            print(f"  {check.name}: {lines[0]}")
        else:
            # As they are, so that they can be copied.
            print(f"  {check.name}:", *lines, sep="\n")
    print()
    style = _STYLES[report.state] if report.state != "missing" else "bold"
    Console(highlight=False, markup=False, soft_wrap=True).print(Text(report.summary, style=style))


def _urgency(check: Check) -> int:
    return ("broken", "missing", "ok").index(check.state)


def _found(check: Check) -> str:
    return check.found if check.ms is None else f"{check.found or 'done'} ({check.ms:g} ms)"
