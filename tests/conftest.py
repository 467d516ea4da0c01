"""What holds for every test.

A run of the tests is repeatable: the examples of a property come from the test itself, so what is green stays green
until somebody changes it, and a red run is red again. Looking for new ones is its own business:
`make test ARGS="--hypothesis-profile=explore -k Test"`.
"""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("repeatable")
