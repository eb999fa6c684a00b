"""Import LanceDB without the REST client that only the namespaces of its cloud use.

The client's generated functions take more than half of the import's time, and 13 MB.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from typing import Any

_CLIENT = "lance_namespace_urllib3_client"


def skip_rest_client() -> None:
    """Load the client's package only when an attribute of it is used.

    LanceDB imports from its submodules, which the import system finds without loading the package.
    """
    spec = find_spec(_CLIENT)
    if _CLIENT in sys.modules or spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def load(name: str) -> Any:  # noqa: ANN401 - any attribute
        del package.__getattr__
        loader.exec_module(package)
        return getattr(package, name)

    package.__getattr__ = load  # type: ignore[method-assign]
    sys.modules[_CLIENT] = package


skip_rest_client()
