"""Latency: what a scenario file asks for, what was measured, and whether the claims about it hold."""
