"""CloudFront's data plane: from a viewer's request to the cache, a function or an origin.

1. `front.EdgeFront` finds the distribution: by its host name, by an alias, or by path. A small
   object that is fresh and in memory is sent at once: no task, no SQL, no thread.
2. Everything else is a `call.EdgeCall`, in a task of its own: the function for viewer requests, the
   cache, the origin with its functions, error pages, the function for viewer responses.

- `directory` has distributions in memory; `loading` reads them, `distribution` is what comes out.
- `selection` makes keys of the cache and says what is forwarded, `lifetimes` how long it is kept.
- `cache` keeps responses: small ones in memory, others in files. It is empty after a start.
- `origins` connects to servers, to names of the platform's own, and to buckets.
- `lambda_…` are the events and results of Lambda@Edge, `function_…` those of CloudFront Functions.
"""
