"""`lambent up` with an additional kind of source: a `prefix` for `tests.platforms.Platform`."""

import sys

from lambent.__main__ import main
from lambent.model.sources.registry import SOURCE_KINDS

from . import driver  # noqa: F401 - now, while all of the file system is in sight
from .kind import LINES

SOURCE_KINDS[LINES.name] = LINES
del sys.argv[1:4]  # python -m lambent
main()
