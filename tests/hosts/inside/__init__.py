"""What runs on a host under test, next to the platform that is installed there."""
