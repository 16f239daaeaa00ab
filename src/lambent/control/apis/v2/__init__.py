"""HTTP and WebSocket APIs: what `apigatewayv2` adds to the generic use cases.

`room.py` has all use cases. `table.py` has the kinds, whose rules are in a module each.
"""
