"""Where the rooms meet.

Each module opens one part of the platform and returns a frozen value with what the later parts
need: `privileged`, then on the event loop `storage`, `api`, `execution`, `events`, `control` and
`front`. `platform` opens them in this order; they close in reverse. No module here decides
anything.
"""
