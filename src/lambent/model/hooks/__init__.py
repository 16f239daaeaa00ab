"""Hooks as values, what their kinds take, and the rules of signatures."""
