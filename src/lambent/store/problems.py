"""What is wrong with a database, or with what belongs to it."""


class StoreError(Exception):
    """The store cannot be used. The message is a sentence for the operator: what is wrong, where,
    and what to do about it."""


class StoreHeld(StoreError):
    """Another platform uses the database."""
