"""How much memory clients may make a server hold, over all its connections."""


class Budget:
    """Bytes that are held, and how many may be. A budget can be part of another one."""

    def __init__(self, most: int, within: "Budget | None" = None) -> None:
        self.most = most
        self.held = 0
        self._within = within

    def change(self, by: int) -> None:
        """Hold so many bytes more, or fewer if it is negative."""
        self.held += by
        if self._within is not None:
            self._within.change(by)

    @property
    def is_spent(self) -> bool:
        """Whether more is held than may be."""
        return self.held > self.most or (self._within is not None and self._within.is_spent)
