"""Bots of Lex V2: their use cases, and conversations with them. What they need from outside comes
through `ports.py`."""
