"""The inside of the fake Bot API: rules, world, methods, server. The door is `tests.fakes.telegram`."""
