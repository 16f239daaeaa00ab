"""An event source that the platform does not have: `docs/adding-an-event-source.md` shows it."""
