"""The use cases of API Gateway: a generic layer over documents, and what each model adds to it.

An API is a tree of documents (`model/document.py`). Most operations create, read, list, change or
delete one of them, and differ only in names and rules. So a kind of document is data, a `Kind`
(`kinds.py`): how its operations name it, how its id is made, its defaults, what it refers to, and a
function that checks its body.

- `collection.py` does the work on one kind within a transaction. It checks that the API and the
  parent exist, that references lead somewhere and that nothing in use is deleted.
- `use_cases.py` is the same as operations: a `Resources` takes the members of an operation's input
  and returns those of its output. It locks the root, and calls a hook when an API has changed.
- `deployments.py` copies an API into a deployment. `ids.py`, `errors.py` and `paging.py` are what
  their names say.

A model adds a table of kinds, a `Dialect` (its names of things that every operation has) and
functions for what is no row of the table. `v2/` does this for `apigatewayv2`.
"""
