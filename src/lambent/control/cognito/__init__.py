"""Cognito's user pools: pools and their clients, users, signing in, tokens.

Functions of a pool are called through a port (`ports.py`): this room does not know how.
"""
