"""Alarms of CloudWatch. All alarms of an account and Region are documents of one root."""
