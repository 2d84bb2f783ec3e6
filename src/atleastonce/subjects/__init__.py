"""Starts, stops, kills and restarts the service under test."""
