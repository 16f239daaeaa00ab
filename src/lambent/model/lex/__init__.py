"""Bots of Lex V2: what they say and understand, as rules without I/O."""
