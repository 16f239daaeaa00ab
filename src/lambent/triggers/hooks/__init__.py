"""Hooks: HTTP entry points for callers that are not AWS, and for those of AWS's services that call
any HTTPS address."""
