"""All operations of the control plane, in one place for whoever offers them."""

from collections.abc import Mapping

from lambent.control.room import Control
from lambent.gateway.call import OperationHandler
from lambent.gateway.code_links import CodeLinks
from lambent.gateway.operations import account, functions, layers, resources, urls, versions


def operations(
    control: Control, links: CodeLinks, url_domain: str
) -> Mapping[str, OperationHandler]:
    """The handlers, by operation name; function URLs end in `url_domain`."""
    return {
        **functions.operations(control, links),
        **versions.operations(control),
        **layers.operations(control, links),
        **account.operations(control),
        **urls.operations(control, url_domain),
        **resources.operations(control),
    }
