"""Compiles a query of CloudWatch Logs Insights.

A query is commands between bars; each is compiled into a step that records pass through.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from lambent.telemetry.insights import steps
from lambent.telemetry.insights.expressions import Compute, Expressions, Named, compile_regex
from lambent.telemetry.insights.records import Record
from lambent.telemetry.insights.scanner import QueryError, Scanner, Token
from lambent.telemetry.insights.steps import ROWS_MAX, Order, Step
from lambent.telemetry.insights.values import text_of

_COMMANDS_MAX = 50
_DEFAULT = ("@timestamp", "@message")
_NOT_OFFERED = ("anomaly", "diff", "filterindex", "join", "lookup", "pattern", "source", "unmask")

Row = Sequence[tuple[str, str]]
"""Names and values of a result."""


class Query(NamedTuple):
    """A query that can be run."""

    steps: Sequence[Step]
    columns: Sequence[str]
    filters: int
    """How many steps come before the first that needs all records."""
    has_pointers: bool
    """Whether each row is an event and gets `@ptr`."""

    def run(self, records: Iterable[Record], count: Callable[[], None]) -> Iterable[Row]:
        """The rows of the result. `count` is called for each event that passes all filters."""
        for number, step in enumerate(self.steps):
            if number == self.filters:
                records = _counted(records, count)
            records = step(records)
        columns = [*self.columns, "@ptr"] if self.has_pointers else self.columns
        for record in records:
            values = ((name, record.get(name)) for name in columns)
            yield [(name, text_of(value)) for name, value in values if value is not None]


def _counted(records: Iterable[Record], count: Callable[[], None]) -> Iterable[Record]:
    for record in records:
        count()
        yield record


def compile_query(text: str, *, limit: int | None, now_ms: int) -> Query:
    """`limit` is that of StartQuery, if it has one. Raises `QueryError`."""
    return _Compiler(text, limit, now_ms).compile()


class _Compiler:
    def __init__(self, text: str, limit: int | None, now_ms: int) -> None:
        self._scanner = Scanner(text)
        self._expressions = Expressions(self._scanner, now_ms)
        self._limit = limit
        self._steps: list[Step] = []
        self._orders: list[Order] | None = None
        """A `sort` whose step waits for what follows: a limit makes it need less."""
        self._shown: list[str] = []
        self._displayed: list[str] | None = None
        self._is_ordered = False
        self._has_statistics = False
        self._filters: int | None = None

    def compile(self) -> Query:
        scanner = self._scanner
        if scanner.peek().kind == "end":
            return self._finish()
        scanner.take_sign("|")
        for _ in range(_COMMANDS_MAX):
            self._command()
            if scanner.peek().kind == "end":
                return self._finish()
            scanner.expect_sign("|")
        raise QueryError(f"more than {_COMMANDS_MAX} commands", 0, len(scanner.query))

    def _command(self) -> None:
        token = self._scanner.peek()
        name = token.text.lower()
        command = self._COMMANDS.get(name) if token.kind == "name" else None
        if command is not None:
            self._scanner.take()
            command(self)
        elif token.kind == "name" and name in _NOT_OFFERED:
            raise QueryError(
                f"Lambent does not offer the command '{token.text}'", token.start, token.end
            )
        else:
            raise self._scanner.unexpected(f"one of the commands {', '.join(self._COMMANDS)}")

    # -- commands --------------------------------------------------------------------------------

    def _fields(self) -> None:
        columns = self._columns()
        self._add(steps.computes(columns))
        self._shown += [column.name for column in columns if column.name not in self._shown]

    def _display(self) -> None:
        columns = self._columns()
        self._add(steps.computes(columns))
        self._displayed = [column.name for column in columns]

    def _filter(self) -> None:
        self._add(steps.filters(self._expressions.any()))

    def _parse(self) -> None:
        scanner = self._scanner
        source: Compute = lambda record: record.get("@message")  # noqa: E731
        token = scanner.take_regex()
        if token is None and scanner.peek().kind != "text":
            name = self._expressions.name()
            source = lambda record: record.get(name)  # noqa: E731
            token = scanner.take_regex()
        if token is not None:
            self._parse_regex(source, token)
        elif scanner.peek().kind == "text":
            self._parse_glob(source, scanner.take())
        else:
            raise scanner.unexpected("a text with wildcards or a regular expression")

    def _parse_regex(self, source: Compute, token: Token) -> None:
        pattern = compile_regex(token)
        names: list[str] = []
        if self._scanner.take_word("as"):
            names = self._names()
        elif len(pattern.groupindex) == pattern.groups:
            names = sorted(pattern.groupindex, key=lambda name: pattern.groupindex[name])
        if not names or len(names) != pattern.groups:
            message = "the regular expression needs a name for each of its groups, as in (?<name>.)"
            raise QueryError(message, token.start, token.end)
        self._add(steps.matches_regex(source, pattern, names))
        self._shown_by_parse(names)

    def _parse_glob(self, source: Compute, token: Token) -> None:
        parts = token.text.split("*")
        if not self._scanner.take_word("as"):
            raise self._scanner.unexpected("'as'")
        names = self._names()
        if len(names) != len(parts) - 1:
            message = f"there are {len(parts) - 1} wildcards and {len(names)} names"
            raise QueryError(message, token.start, token.end)
        self._add(steps.matches_glob(source, parts, names))
        self._shown_by_parse(names)

    def _shown_by_parse(self, names: Sequence[str]) -> None:
        if not self._shown:
            self._shown += _DEFAULT
        self._shown += [name for name in names if name not in self._shown]

    def _stats(self) -> None:
        expressions = self._expressions
        expressions.aggregated = []
        results = self._columns()
        aggregated, expressions.aggregated = expressions.aggregated, None
        by = self._columns() if self._scanner.take_word("by") else []
        self._end_filters()
        self._add(steps.aggregates(results, aggregated, by))
        self._shown = [column.name for column in (*by, *results)]
        self._displayed = None
        self._has_statistics = self._is_ordered = True

    def _sort(self) -> None:
        orders = [self._order()]
        while self._scanner.take_sign(","):
            orders.append(self._order())
        self._flush(None)
        self._orders = orders
        self._is_ordered = True

    def _order(self) -> Order:
        compute = self._expressions.any()
        if self._scanner.take_word("desc"):
            return Order(compute, True)
        self._scanner.take_word("asc")
        return Order(compute, False)

    def _take_limit(self) -> None:
        token = self._scanner.peek()
        if token.kind != "number" or not token.text.isdecimal() or len(token.text) > 9:
            raise self._scanner.unexpected("a number of records")
        self._scanner.take()
        count = int(token.text)
        if not 1 <= count <= ROWS_MAX:
            raise QueryError(f"a limit is from 1 to {ROWS_MAX}", token.start, token.end)
        self._limit = None  # The query's own counts.
        self._put_in_order()
        self._flush(count)
        self._steps.append(steps.limits(count))

    def _dedup(self) -> None:
        columns = self._columns()
        self._put_in_order()
        self._add(steps.dedups([column.compute for column in columns]))

    _COMMANDS: Mapping[str, Callable[["_Compiler"], None]] = {
        "fields": _fields,
        "display": _display,
        "filter": _filter,
        "parse": _parse,
        "stats": _stats,
        "sort": _sort,
        "limit": _take_limit,
        "head": _take_limit,
        "dedup": _dedup,
    }

    # -- steps -----------------------------------------------------------------------------------

    def _columns(self) -> list[Named]:
        found = [self._expressions.named()]
        while self._scanner.take_sign(","):
            found.append(self._expressions.named())
        return found

    def _names(self) -> list[str]:
        found = [self._expressions.name()]
        while self._scanner.take_sign(","):
            found.append(self._expressions.name())
        return found

    def _add(self, step: Step) -> None:
        self._flush(None)
        self._steps.append(step)

    def _put_in_order(self) -> None:
        """Without a `sort`, the newest events come first."""
        if not self._is_ordered:
            self._is_ordered = True
            self._flush(None)
            self._orders = [Order(lambda record: record.get("@timestamp"), True)]

    def _end_filters(self) -> None:
        if self._filters is None:
            self._filters = len(self._steps)

    def _flush(self, count: int | None) -> None:
        orders, self._orders = self._orders, None
        if orders is not None:
            self._end_filters()
            self._steps.append(steps.sorts(orders, count))

    def _finish(self) -> Query:
        self._put_in_order()
        count = self._limit or ROWS_MAX
        self._flush(count)
        self._steps.append(steps.limits(count))
        columns = self._displayed or self._shown or list(_DEFAULT)
        assert self._filters is not None  # There is a sort or a stats.
        return Query(self._steps, columns, self._filters, not self._has_statistics)
