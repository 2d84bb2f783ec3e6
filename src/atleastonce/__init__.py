"""Proves that a message-driven service survives at-least-once delivery."""

__version__ = "0.1.0"
