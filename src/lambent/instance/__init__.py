"""One platform on this machine: its data directory, its lock, its log file, its operator's socket.

The platform and the commands that look at it from outside share this room.
"""
