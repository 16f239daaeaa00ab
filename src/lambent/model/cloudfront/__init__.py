"""Amazon CloudFront: names, documents and policies, as values."""
