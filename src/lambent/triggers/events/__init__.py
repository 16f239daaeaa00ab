"""EventBridge's data plane: events that are put on buses, and schedules that become due."""
