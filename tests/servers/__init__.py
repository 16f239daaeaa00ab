"""Real servers of queues and streams, each a process that the tests start on loopback."""
