"""Lambent: AWS Lambda on machines you own."""
