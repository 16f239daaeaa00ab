"""Lambent on machines and containers that are built for the tests. See docs/hosts.md."""
