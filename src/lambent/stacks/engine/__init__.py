"""Runs operations on stacks: one task per stack under way, every step written before and after."""
