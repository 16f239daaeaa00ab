"""CloudFront's resources: distributions, policies, functions at the edge, invalidations."""
