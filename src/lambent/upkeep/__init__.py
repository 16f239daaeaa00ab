"""Commands of the operator that need no running platform: doctor, gc, backup and restore."""


class UpkeepError(Exception):
    """A command cannot do its work; the message says what to do."""
