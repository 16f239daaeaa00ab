"""EventBridge: event patterns, inputs of targets, deliveries."""
