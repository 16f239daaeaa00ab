"""Alarms of CloudWatch, as rules without I/O."""
