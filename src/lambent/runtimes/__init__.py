"""What runs inside the sandbox: files, never imported by the platform."""
