"""LanceDB's import without the REST client that only its cloud's namespaces use.

The client's generated functions take more than half of the import's time, and 13 MB.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from typing import Any

_CLIENT = "lance_namespace_urllib3_client"


def skip_rest_client() -> None:
    """Leave the client's own module out until something of it is asked for.

    LanceDB imports models from its submodules, which the import system finds without it.
    """
    spec = find_spec(_CLIENT)
    if _CLIENT in sys.modules or spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def load(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
        del package.__getattr__
        loader.exec_module(package)
        return getattr(package, name)

    package.__getattr__ = load  # type: ignore[method-assign]
    sys.modules[_CLIENT] = package


skip_rest_client()
