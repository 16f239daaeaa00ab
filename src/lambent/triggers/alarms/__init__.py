"""Alarms of CloudWatch, evaluated as time passes."""
