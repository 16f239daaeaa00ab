#!/bin/bash
# An extension of nothing but a shell and curl.
set -euo pipefail
name=$(basename "$0")
api="http://${AWS_LAMBDA_RUNTIME_API}/2020-01-01/extension"
trap 'echo "$name got SIGTERM"' TERM

curl -sS -o /dev/null -D /tmp/headers -XPOST "$api/register" \
    -H "Lambda-Extension-Name: $name" -d '{"events": ["INVOKE", "SHUTDOWN"]}'
id=$(grep -i '^lambda-extension-identifier:' /tmp/headers | tr -d '\r' | cut -d' ' -f2)
echo "$name registered"

while true; do
    event=$(curl -sS -XGET "$api/event/next" -H "Lambda-Extension-Identifier: $id")
    echo "$name heard $event"
    if [[ $event == *SHUTDOWN* ]]; then
        exit 0
    fi
done
