"""The console: pages for a browser, which speak the platform's public APIs as their user."""
