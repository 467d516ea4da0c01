"""Looking at a live tree and steering it from another process: a Unix socket and the `actorctl` command.

The server's side is `server`, `verbs`, `views` and `history`; the command's is `actorctl`, `client` and `drawing`, and
never imports trio. Both speak `wire`.
"""
