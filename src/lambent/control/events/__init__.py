"""EventBridge: buses, their rules, and the targets of rules.

A bus is the root of its documents. The bus `default` exists in every account and Region; its
document is written when there is something to store.
"""
