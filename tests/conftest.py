"""Puts this folder on the path: `histories` is the notation that unit and property tests share."""
