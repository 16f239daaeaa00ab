"""Schedule expressions."""
