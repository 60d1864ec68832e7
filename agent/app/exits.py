"""Exit statuses: how a command ended, for the program that started it. docs/scripts.md lists them.

1 is the status of `verify` where a paper is not what its records give (agent/publishing/verify).
"""


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM or because its terminal was closed; no second request will come."""


DONE = 0
USER_ERROR = 2  # something that a person gave is wrong, or missing on this machine
INFRASTRUCTURE = 3  # a tool that the session needs is broken; resume continues it
BUDGET = 4  # a bound that a person set is reached
NO_PDF = 5  # everything else is done, but TeX made no PDF of the paper
INTERRUPTED = 130  # Ctrl-C, SIGTERM or a closed terminal; resume continues it
