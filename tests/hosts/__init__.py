"""Lambent on machines and containers that are made for the purpose. See docs/hosts.md."""
