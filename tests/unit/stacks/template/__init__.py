"""The pure part of stacks."""
