"""API Gateway's data plane: from a client's request to a function, another service or a server.

A request passes these steps. On the warm path they are plain calls: no task, no SQL, no lock.

1. `front.ApiFront` finds the API: by its host name, by a custom domain name and its mapping, or by
   path. It makes an `request.ApiRequest`, a value with what is known by then.
2. `directory.ApiDirectory` has the API in memory, or reads it: its document, its stages, and the
   snapshots of the deployments that the stages name. A change of any of its documents drops it, so
   a change is in force when the response to it is sent.
3. The API's *kind* (`kinds.ApiKind`: HTTP, REST or WebSocket) chooses the stage and compiles it
   when it is first used. What comes out, a `kinds.ServedStage`, serves the request to its end:
   route, authorizer, throttle, integration, response.

What the kinds share:

- `calls.FunctionCalls` calls functions, as API Gateway or with an integration's role.
- `authorizers/` says who calls: JWTs, functions that decide, and the cache of their decisions.
- `backends/` sends requests to servers and to other services, for integrations.
- `parameters` says where mappings take values from, `vtl/` renders templates.
- `throttling` has the token buckets of accounts, stages and routes.
- `access_logs` writes a stage's access log into CloudWatch Logs.
- `outbound` makes connections to servers, and passes their responses on.

To add a kind, write an `ApiKind` and register it where the rooms meet (`assembly/apis.py`).
`context.ApiContext` has what kinds work with.
"""
