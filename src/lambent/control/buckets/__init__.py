"""Buckets of the platform's own: a small S3 for what deployments upload.

`buckets` are buckets and their configurations, `objects` their objects, `uploads` objects that
arrive in parts, `listing` the order and the pages of lists. Contents are blobs next to the packages
of functions (`control/packages.py`), in chunks. Objects have no versions.
"""
