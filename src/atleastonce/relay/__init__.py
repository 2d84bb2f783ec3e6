"""The relay stands between subject and broker: passes bytes, reads frames, records, holds, cuts, buries."""
