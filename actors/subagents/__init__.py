"""Sub-agents: temporary agents with a workspace of their own and one task; each reports exactly once."""
