"""Measures latency: starts the services of a scenario file, sends the requests, and looks at the attempts."""
