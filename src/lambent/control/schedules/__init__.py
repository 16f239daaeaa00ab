"""EventBridge Scheduler: groups and schedules. A group is the root of its documents."""
