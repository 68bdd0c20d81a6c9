"""The methods that the app offers its visitors: those that its command line named, each in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from kpnviz.methods import check_names
from kpnviz.methods.isolated import IsolatedMethod
from kpnviz.models.zoo import OWN_TITLES

_offered: dict[str, IsolatedMethod] = {}


def offer(sources: Sequence[str], reserved: Sequence[str] = ()) -> None:
    """Load methods by their sources and offer them from now on, instead of those before; `reserved` names are taken.

    ValueError, one sentence, where one cannot be loaded, or has the name of another method.
    """
    methods: list[IsolatedMethod] = []
    try:
        for source in sources:
            methods.append(IsolatedMethod(source))
        check_names([method.name for method in methods], reserved)
    except BaseException:
        for method in methods:
            method.close()
        raise
    for method in _offered.values():
        method.close()
    _offered.clear()
    _offered.update({method.name: method for method in methods})
    OWN_TITLES.clear()
    OWN_TITLES.update({method.name: method.title for method in methods})


def offered() -> Mapping[str, IsolatedMethod]:
    """Name -> method, in the order of the command line."""
    return MappingProxyType(_offered)
