"""What runs on a host under test, beside the platform that was installed there."""
