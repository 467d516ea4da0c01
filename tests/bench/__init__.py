"""How fast the runtime is beside bare trio, bare asyncio, pykka and triotp: `make bench`.

Nothing here is part of `make test` but a smoke test: a figure on a busy machine proves nothing, a ratio of medians of
interleaved rounds says something. `rows` lists what is measured and the goals; `with_*` do the same work with each
subject; `worker` runs one of them in a process of its own; `__main__` runs the rounds and prints the `table`.
"""
