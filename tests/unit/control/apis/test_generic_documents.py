"""The generic use cases, with a table of kinds that no service has."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.control.apis.collection import changed_body
from lambent.control.apis.deployments import take_snapshot
from lambent.control.apis.errors import bad_request, conflict
from lambent.control.apis.ids import new_api_id
from lambent.control.apis.kinds import Draft, Kind, Params, Place, Reference, by_name
from lambent.control.apis.paging import read_size, read_token, write_token
from lambent.control.apis.use_cases import Dialect, Resources
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Body, Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction
from tests.unit.control.control_room import refused

pytestmark = pytest.mark.anyio
HERE = Scope(AccountId("111111111111"), Region("us-east-1"))
THERE = Scope(AccountId("222222222222"), Region("us-east-1"))


def check_book(draft: Draft) -> Body:
    if draft.body.get("Title") == "refused":
        raise bad_request("no")
    return {**draft.body, "Library": draft.api["Name"]}


def in_use(id: str, users: Sequence[str]) -> ApiError:
    return conflict(f"{id} is used by {', '.join(users)}")


KINDS = by_name(
    Kind(name="api", noun="API", path=("ApiId",), place=Place.ROOT, defaults={"Size": 1}),
    Kind(
        name="book",
        noun="Book",
        path=("ApiId", "BookId"),
        id_length=7,
        defaults={"Pages": 10},
        merged=frozenset({"Notes"}),
        unique="Title",
        count_max=3,
        check=check_book,
        hidden=frozenset({"Library"}),
        references=(
            Reference("Shelf", "shelf", lambda it: bad_request(f"no shelf {it}"), in_use, "s/"),
        ),
    ),
    Kind(name="page", noun="Page", path=("ApiId", "BookId", "PageId"), parent="book", id_length=6),
    Kind(name="shelf", noun="Shelf", path=("ApiId", "ShelfName")),
    Kind(name="reader", noun="Reader", path=("ReaderId",), place=Place.ACCOUNT, id_length=5),
)
DIALECT = Dialect(
    service="apigatewayv2",
    size="MaxResults",
    token_in="NextToken",
    token_out="NextToken",
    items="Items",
    page_default=2,
    page_max=3,
)


class Library:
    """The use cases, and an API to use them on."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.changed: list[Root] = []
        self.resources = Resources(store, DIALECT, KINDS, lambda _, root: self.changed.append(root))
        self.api: dict[str, Any] = {}

    async def do(self, verb: str, kind: str, **params: Any) -> Params:
        named = {"ApiId": self.api["ApiId"]} if self.api else {}
        use_case = getattr(self.resources, verb)(kind)
        if verb == "create" and kind == "api":
            named = {}
        answer: Params = await use_case(HERE, {**named, **params})
        return answer


@pytest.fixture
async def library(store: Store) -> Library:
    """A library with one API."""
    made = Library(store)
    made.api = dict(await made.do("create", "api", Name="n"))
    return made


async def test_a_document_lives(library: Library) -> None:
    """Create, get, update, delete: members are as given, with defaults; each change is noted."""
    assert library.api == {"ApiId": library.api["ApiId"], "Name": "n", "Size": 1}
    book = await library.do("create", "book", Title="a", Notes={"1": "x", "2": "y"})
    assert book == {"BookId": book["BookId"], "Title": "a", "Pages": 10, "Notes": book["Notes"]}
    named = {"BookId": book["BookId"]}
    assert await library.do("get", "book", **named) == book
    changed = await library.do("update", "book", **named, Pages=11, Notes={"1": "", "3": "z"})
    assert changed == {**book, "Pages": 11, "Notes": {"2": "y", "3": "z"}}
    assert await library.do("delete", "book", **named) == {}
    error = await refused(library.do("get", "book", **named))
    assert (error.code, error.status) == ("NotFoundException", 404)
    assert error.message == f"Unable to find Book by ID {book['BookId']}"
    assert len(library.changed) == 4


async def test_others_do_not_see_it(library: Library) -> None:
    """An API belongs to one account and region."""
    use_case = library.resources.get("api")
    error = await refused(use_case(THERE, {"ApiId": library.api["ApiId"]}))
    assert error.code == "NotFoundException"


async def test_rules(library: Library) -> None:
    """References, unique values, quotas, names, and what the check of the kind refuses."""

    async def text(verb: str, kind: str, **params: Any) -> str:
        return (await refused(library.do(verb, kind, **params))).message

    assert await text("create", "book", Title="refused") == "no"
    assert await text("create", "book", Title="a", Shelf="s/one") == "no shelf s/one"
    assert await text("create", "book", Title="a", Shelf="one") == "no shelf one"
    for name in ("a/b", "", "x" * 129, "a\nb"):
        assert "Invalid Shelf name" in await text("create", "shelf", ShelfName=name)
    await library.do("create", "shelf", ShelfName="one")
    assert "already exists" in await text("create", "shelf", ShelfName="one")
    book = await library.do("create", "book", Title="a", Shelf="s/one")
    assert await text("delete", "shelf", ShelfName="one") == f"one is used by {book['BookId']}"
    await library.do("update", "book", BookId=book["BookId"], Shelf="")
    await library.do("delete", "shelf", ShelfName="one")
    assert "already exists" in await text("create", "book", Title="a")
    other = await library.do("create", "book", Title="b")
    assert "already exists" in await text("update", "book", BookId=other["BookId"], Title="a")
    await library.do("create", "book", Title="c")
    assert "Maximum number" in await text("create", "book", Title="d")


async def test_what_a_delete_takes_along(library: Library) -> None:
    """Children go with their parent, everything goes with the API."""
    first = await library.do("create", "book", Title="a")
    second = await library.do("create", "book", Title="b")
    pages = [await library.do("create", "page", BookId=book["BookId"]) for book in (first, second)]
    assert set(pages[0]) == {"PageId"}
    error = await refused(library.do("create", "page", BookId="nothere"))
    assert error.message == "Unable to find Book by ID nothere"
    root = library.changed[-1]
    await library.do("delete", "book", BookId=first["BookId"])
    left = await library.store.read(lambda tx: tx.documents.all_of(root))
    assert [document.kind for document in left] == ["api", "book", "page"]
    assert left[-1].id == f"{second['BookId']}/{pages[1]['PageId']}"
    copy = await library.store.read(lambda tx: take_snapshot(tx, root, left_out={"page"}))
    assert [entry[0] for entry in copy] == ["api", "book"]
    await library.do("delete", "api")
    assert await library.store.read(lambda tx: tx.documents.all_of(root)) == []


@pytest.mark.parametrize(("kind", "title"), [("book", "Title"), ("reader", "Name")])
async def test_pages_show_everything_once(library: Library, kind: str, title: str) -> None:
    """Whatever the size of a page is."""
    for number in range(3):
        await library.do("create", kind, **{title: str(number)})
    for size in (None, "1", "2", "3", "100"):
        wanted = {} if size is None else {"MaxResults": size}
        seen, token = [], {}
        while True:
            page = await library.do("list", kind, **wanted, **token)
            seen += [item[title] for item in page["Items"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert sorted(seen) == ["0", "1", "2"]


async def test_apis_are_listed(library: Library) -> None:
    """Those of the account, a page at a time."""
    library.api = {}
    for _ in range(3):
        await library.do("create", "api", Name="more")
    page = await library.do("list", "api", MaxResults="3")
    rest = await library.do("list", "api", MaxResults="3", NextToken=page["NextToken"])
    assert len({api["ApiId"] for api in (*page["Items"], *rest["Items"])}) == 4
    assert "NextToken" not in rest


async def test_ids_of_apis_are_free(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id is not taken if an API of either service has it, in whatever account."""
    made = iter(["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"])
    monkeypatch.setattr("lambent.control.apis.ids.new_id", lambda _: next(made))

    def run(tx: Transaction) -> str:
        for service, kind, id in (
            ("apigateway", "api", "aaaaaaaaaa"),
            ("apigatewayv2", "api", "bbbbbbbbbb"),
        ):
            tx.documents.put(Root(service, *THERE, id), kind, id, {})
        return new_api_id(tx)

    assert await store.transact(run) == "cccccccccc"


TEXTS = st.text(max_size=3)
MAPS = st.dictionaries(TEXTS, TEXTS, max_size=4)


@pytest.mark.slow
@given(before=MAPS, given_=MAPS)
def test_entries_of_merged_maps(before: dict[str, str], given_: dict[str, str]) -> None:
    """An empty text removes an entry; others are replaced or stay."""
    body = changed_body(KINDS["book"], {"Notes": before}, {"Notes": given_})["Notes"]
    for key in before.keys() | given_.keys():
        wanted = given_.get(key, before.get(key))
        assert body.get(key) == (wanted or None)


@given(st.text(max_size=20))
def test_tokens_and_sizes_are_read_or_refused(text: str) -> None:
    """Any text is a token or a size, or `BadRequestException`."""
    for read in (
        lambda: read_token(text, "NextToken"),
        lambda: read_size(text, default=1, maximum=10, member="MaxResults"),
    ):
        try:
            read()
        except ApiError as error:
            assert error.code == "BadRequestException"
    if text.isascii() and text.isprintable() and text and " " not in text:
        assert read_token(write_token(text), "NextToken") == text
