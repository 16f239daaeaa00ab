"""Stacks: templates, change sets and the engine that makes resources what a template says.
docs/designs/0042-stacks.md explains the design."""
