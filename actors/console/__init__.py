"""The console as a front end: lines come in from stdin, answers go out to stdout as they are generated."""
