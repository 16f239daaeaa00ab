"""REST APIs from OpenAPI documents.

`plan.py` reads a document: what it says becomes a `Plan`, members of Create and Put operations that
name each other. `schemas.py`, `security.py` and `integrations.py` read its parts. `applying.py`
makes documents of a plan within a transaction, with the checks that the operations have.
"""
