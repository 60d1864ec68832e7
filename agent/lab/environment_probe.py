"""Runs in another Python interpreter and prints as JSON its version, its packages and which modules it has.

Called as `python environment_probe.py [MODULE ...]`; "missing" lists those of the named modules that it lacks. Imports
the standard library only.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import sys


def cuda_of_torch() -> "str | None":
    """The CUDA version that torch was built for ("12.4"), "" for a build without CUDA, None without torch.

    It is read from torch's own file, because importing torch takes seconds.
    """
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return None
    path = os.path.join(list(found.submodule_search_locations)[0], "version.py")
    if not os.path.isfile(path):
        return None
    with open(path) as file:
        match = re.search(r"^cuda.*?=\s*['\"]([\d.]+)['\"]", file.read(), re.M)
    return match.group(1) if match else ""


if __name__ == "__main__":
    asked = sys.argv[1:]
    print(
        json.dumps(
            {
                "prefix": sys.prefix,
                "base_prefix": sys.base_prefix,
                "version": sys.version.split()[0],
                "packages": {
                    d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if d.metadata["Name"]
                },
                "modules": [
                    name for name in ("numpy", "torch", "matplotlib", "safetensors") if importlib.util.find_spec(name)
                ],
                "missing": [name for name in asked if importlib.util.find_spec(name) is None],
                "cuda": cuda_of_torch(),
            }
        )
    )
