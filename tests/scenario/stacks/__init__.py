"""Stacks that tools deploy, unmodified: they have the endpoint and any keys, nothing else."""
