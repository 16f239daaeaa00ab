"""The use cases of REST APIs (`apigateway`).

- `rules/` says what documents may contain; `kinds.py` makes a table of that.
- `patches.py`, `changes.py`, `patch_tables.py` and `stage_patches.py` change documents as Update
  operations say.
- Each other module has the use cases of one family, as functions of a `Work` (`work.py`): most are
  made by `generic.py`. `operations.py` lists them all.
- `importing/` and `exporting.py` translate between documents and OpenAPI.
"""
