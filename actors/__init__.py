"""The service: Telegram and console front ends, rooms with their coding agents, the store. One folder per subject."""
