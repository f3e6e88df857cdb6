"""The making of operators: functions from rewards and constants to a reward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Generic, ParamSpec

from .reward import Episodes, Reward, Scope, Values, merge_parts
from .text import call_text, freeze, reference

P = ParamSpec("P")
Operation = Callable[[Episodes], Values]


class Combination(Reward):
    """What a :class:`Combinator` makes of its arguments."""

    def __init__(self, combinator: Combinator[Any], arguments: Mapping[str, Any], operation: Operation) -> None:
        signature = inspect.signature(combinator.function)
        rewards = list(_rewards_in(arguments.values()))
        text = f"{combinator.text}({call_text(signature, arguments)})"
        scope = max([combinator.scope, *(reward.scope for reward in rewards)])
        super().__init__(scope, text, text, merge_parts(rewards))
        self._set(combinator=combinator, arguments=MappingProxyType(dict(arguments)), _operation=operation)

    combinator: Combinator[Any]
    arguments: Mapping[str, Any]
    _operation: Operation

    def _key(self) -> tuple[Any, ...]:
        return self.combinator, self.arguments

    def _values(self, episodes: Episodes) -> Values:
        return self._operation(episodes)


class Combinator(Generic[P]):
    """A function from rewards to a reward, made by :func:`combinator`."""

    def __init__(self, function: Callable[P, Operation], scope: Scope) -> None:
        self.function = function
        self.scope = scope
        self.text = reference(function)
        self.__doc__ = function.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Reward:
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            bound.arguments[name] = freeze(value)
            parameter = bound.signature.parameters[name]
            if parameter.annotation in ("Reward", Reward):
                several = parameter.kind is parameter.VAR_POSITIONAL
                for item in bound.arguments[name] if several else [value]:
                    if not isinstance(item, Reward):
                        raise TypeError(f"{self.text}: {name} must be a reward, not {item!r}")
        return Combination(self, bound.arguments, self.function(*bound.args, **bound.kwargs))

    def __repr__(self) -> str:
        return self.text


def combinator(scope: Scope = Scope.TURN) -> Callable[[Callable[P, Operation]], Combinator[P]]:
    """Make an operator on rewards.

    The decorated function takes rewards and constants, checks the constants, and returns the operation: a function of
    :class:`Episodes` that asks ``episodes.values(reward)`` and returns one array [turns] per trajectory.  ``scope`` is
    what the operation itself must see; the result's scope is the widest of that and its arguments'.

    >>> @combinator()
    ... def doubled(reward: Reward) -> Operation:
    ...     return lambda episodes: [2 * values for values in episodes.values(reward)]
    """
    return lambda function: Combinator(function, scope)


def _rewards_in(values: Any) -> Iterator[Reward]:
    for value in values:
        if isinstance(value, Reward):
            yield value
        elif isinstance(value, tuple):
            yield from _rewards_in(value)
        elif isinstance(value, Mapping):
            yield from _rewards_in(value.values())
