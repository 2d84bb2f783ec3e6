"""Reads the effects of the service under test; every failure is an `ObservationError`."""
