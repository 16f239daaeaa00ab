"""REST APIs: a stage of one of them, from a request to its response.

Modules with rules only: `routes` (which method a request is for), `parameters` (what it carries and
how it is mapped), `binary`, `gateway_responses`, `validation`, `proxy_event`, `proxy_result`,
`integration_responses`, `templates`, `usage`. `call` is one request; `kind` has the order of the
checks; `integrations` are what a request ends in.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-rest-api.html
"""
