"""The names of the checks in their order, with deadlines in seconds for an emulated machine."""

DEADLINES = {
    "doctor": 180,
    "start": 400,
    "deploy": 200,
    "python": 200,
    "node": 200,
    "provided": 200,
    "memory kill": 200,
    "timeout": 200,
    "freeze": 120,
    "burst": 400,
    "SnapStart": 300,
    "service": 600,
    "kill": 500,
    "upgrade": 500,
    "isolation suite": 2400,
    "hostile suite": 3600,
}
ONLY_SERVICES = ("service",)
"""Checks of the systemd service."""
ALONE = ("doctor", "start", "upgrade", "isolation suite", "hostile suite")
"""Checks that need no running platform."""
