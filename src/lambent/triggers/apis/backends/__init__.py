"""What integrations of REST and of WebSocket APIs send requests to: servers, and other services."""
