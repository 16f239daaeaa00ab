"""Real servers of queues and streams, each a process of the tests' own on loopback."""
