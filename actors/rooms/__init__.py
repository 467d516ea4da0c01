"""Rooms: one conversation each, with its agent; and the router that wakes and retires them."""
