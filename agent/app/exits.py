"""Exit statuses: how a command ended, for the program that started it. docs/scripts.md lists them."""


class Terminated(KeyboardInterrupt):
    """The process is asked to end, and nobody is there to ask again: SIGTERM, or the terminal is gone."""


DONE = 0
NOT_VERIFIED = 1  # a paper is not what its records give
USER_ERROR = 2  # something that a person gave is wrong, or missing on this machine
INFRASTRUCTURE = 3  # a tool that the session needs is broken; resume goes on
BUDGET = 4  # a bound that a person set is reached
NO_PDF = 5  # everything else is done, but TeX made no PDF of the paper
INTERRUPTED = 130  # Ctrl-C, SIGTERM or a closed terminal; resume goes on
