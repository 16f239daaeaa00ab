"""Bots of Lex: their use cases, the functions they call, and the links of files."""

from lambent.assembly.api import Api
from lambent.assembly.execution import Execution
from lambent.assembly.storage import Storage
from lambent.control.lex.room import open_lex_bots
from lambent.control.lex.transfers import PATH_PREFIX
from lambent.gateway.fronts import Front
from lambent.gateway.services.lexv2_models.reading import read_input
from lambent.gateway.services.lexv2_models.service import LEXV2_MODELS
from lambent.gateway.services.lexv2_runtime.service import LEXV2_RUNTIME
from lambent.model.lex.exported import ZIP_BYTES_MAX
from lambent.triggers.lex.functions import HookFunctions
from lambent.triggers.lex.links import FileLinks
from lambent.triggers.lex.understanding import Processes


async def register_lex(storage: Storage, api: Api, execution: Execution) -> None:
    """Register the operations and the links, unless another server serves Lex."""
    gateway = api.gateway
    if LEXV2_MODELS.signing_name not in gateway.signing_names:
        return
    functions = HookFunctions(execution.invoker, api.authorizer)
    rooms = await open_lex_bots(*(storage.store, storage.clock, functions, Processes(), read_input))
    gateway.register(LEXV2_MODELS, LEXV2_MODELS.bind(rooms))
    gateway.register(LEXV2_RUNTIME, LEXV2_RUNTIME.bind(rooms))
    links = FileLinks(rooms.transfers.upload, rooms.transfers.download, storage.tasks)
    front = Front(handle=links.handle, body_bytes_max=ZIP_BYTES_MAX, is_open=True)
    gateway.fronts.add_path(PATH_PREFIX, front)
