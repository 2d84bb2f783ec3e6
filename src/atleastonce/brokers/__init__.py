"""Starts and stops brokers: in containers, as processes of this machine, or not at all."""

from atleastonce.brokers.broker import Broker, Kind, ProviderName
from atleastonce.brokers.choice import open_broker, open_brokers, unavailable

__all__ = ["Broker", "Kind", "ProviderName", "open_broker", "open_brokers", "unavailable"]
