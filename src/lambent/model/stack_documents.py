"""How stacks are found in the store by their names: what authorization must know of them."""

from typing import Final

from lambent.model.arn import Scope
from lambent.model.document import Root

SERVICE: Final = "cloudformation"
STACK: Final = "stack"
"""The kind and the id of the document, in the stack's root, that is the stack itself."""
NAME: Final = "name"
"""The kind of documents, in the account's root, that have the id of the stack with a name."""
CHANGE_SET: Final = "changeset"
"""The kind of documents, in the stack's root, that are change sets."""
TOKEN_TAG: Final = "lambent:token"
"""The tag, or the hidden member, by which a step of a stack finds what it has made."""


def account_root(scope: Scope) -> Root:
    """What names and exports belong to."""
    return Root(SERVICE, *scope, "")


def stack_arn(scope: Scope, name: str, id: str) -> str:
    """StackId."""
    return f"arn:aws:{SERVICE}:{scope.region}:{scope.account}:stack/{name}/{id}"
