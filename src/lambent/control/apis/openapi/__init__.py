"""OpenAPI documents that define APIs, 2.0 and 3.0, with the extensions `x-amazon-apigateway-*`.

`reading.py` turns bytes into a document: JSON or YAML, with limits that hostile documents cannot
pass. `document.py` is such a document: its version, its references, its operations. What an API is
made from it belongs to the models: `v2/importing.py`.
"""
