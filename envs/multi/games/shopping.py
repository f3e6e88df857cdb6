"""WebShop for two: one knows what is wanted, the other holds the mouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...splits import Splits
from ...webshop import WebShop
from ..game import Game, IllegalMove, Mover, quote
from ..talk import Line, heard, message

SEARCH_PAGE = "The search page of the shop."


class State(NamedTuple):
    """The wish, where the shopper is in the shop, what it sees and can click, what was said, and whose turn it is."""

    wish: str
    shop: Any
    page: str
    clickables: tuple[str, ...]
    search: bool
    log: tuple[Line, ...] = ()
    turn: int = 0
    score: float | None = None


class CooperativeShopping(Game[State]):
    """:class:`~palestra.envs.webshop.WebShop` for two: the customer knows the wish, the shopper holds the mouse.

    The customer speaks first; the shopper may ask back at any time.  Both are paid the score of the purchase.  Pages
    are the shop's brief ones.  The scripted customer says its wish; the scripted shopper searches for what it was told
    and buys the first result.
    """

    name = "CooperativeShopping"
    roles = ("customer", "shopper")
    default_opponent = "scripted"
    default_seat = "shopper"
    lowest = 0.0
    guide = (
        "Shop together. The customer knows what is wanted, the shopper sees the shop; both are paid by how well the "
        "purchase fits. The customer answers: say <words>. The shopper answers: search[words], click[name], with the "
        "number of a result or the name of an option, click[buy now] in the end, or asks the customer: ask <words>."
    )
    phrases = ("say a red shirt below 30 dollars", "ask which size?", "search[red shirt]", "click[1]", "click[buy now]")

    def __init__(self, catalogue: str | None = None) -> None:
        self.shop = WebShop(catalogue, observation="brief")
        numbered = {
            split: [(split, task) for task in range(self.shop.tasks(split))]
            for split in ("train", "validation", "test")
        }
        self.splits = Splits(**numbered)

    def start(self, task: Any = None) -> State:
        """The search page, before the customer has said anything."""
        split, number = task
        wish, info = self.shop.reset(seed=0, options={"split": split, "task": number})
        assert wish == info["goal"]["instruction"]  # nothing else is on the search page, so the shopper need not see it
        return State(wish, self.shop.snapshot(), SEARCH_PAGE, tuple(info["clickables"]), True)

    def movers(self, state: State) -> tuple[int, ...]:
        """The customer first and whenever it is asked, else the shopper."""
        return () if self.over(state) else (state.turn,)

    def over(self, state: State) -> bool:
        """After the purchase."""
        return state.score is not None

    def actions(self, state: State, player: int) -> Sequence[str]:
        """Clicks, and examples of a search, a question and an answer."""
        if player == 0:
            return (f"say {state.wish}"[:290], "say buy it")
        clicks = [f"click[{name}]" for name in state.clickables if name != "search"]
        return [*clicks, *(["search[shirt]"] if state.search else []), "ask what do you want?"]

    def read(self, state: State, player: int, text: str) -> str:
        """Words, or an action that the shop takes."""
        verb = "say" if player == 0 else "ask"
        said = message(text, verb)
        if said is not None:
            return f"{verb} {said}"
        if player == 0:
            raise IllegalMove(f"{quote(text)} is not one of the actions; answer say <words>.")
        self.shop.restore(state.shop)
        info = self.shop.step(text)[-1]
        if not info["valid_action"]:
            raise IllegalMove(info["feedback"])
        return text

    def play(self, state: State, moves: Mapping[int, str]) -> State:
        """Speak, or act in the shop."""
        ((player, move),) = moves.items()
        if player == 0 or message(move, "ask") is not None:
            return state._replace(log=(*state.log, Line(player, move)), turn=1 - player)
        self.shop.restore(state.shop)
        page, score, bought, _, info = self.shop.step(move)
        return state._replace(
            shop=self.shop.snapshot(),
            page=SEARCH_PAGE if page == state.wish else page,
            clickables=tuple(info["clickables"]),
            search=info["has_search_bar"],
            score=score if bought else None,
        )

    def returns(self, state: State) -> tuple[float, ...]:
        """The score of the purchase, to both."""
        return (state.score or 0.0,) * 2

    def facts(self, state: State, player: int) -> str:
        """The wish, for the customer; the page, for the shopper."""
        return f"You want: {state.wish}" if player == 0 else state.page

    def events(self, state: State, player: int) -> Sequence[str]:
        """What was said."""
        return heard(state.log, player, self.roles)

    def prompt(self, state: State, player: int) -> str:
        """What to answer."""
        return "Actions: say <words>" if player == 0 else "Actions: search[words], click[name], ask <words>"

    def outcome(self, state: State) -> dict[str, Any]:
        """The score, and how many questions were asked."""
        return {"score": state.score, "questions": sum(line.player == 1 for line in state.log)}

    def scripted(self) -> Mapping[str, Mover]:
        """A customer that says its wish, and a shopper that buys the first result."""
        return {"scripted": self._scripted}

    def _scripted(self, state: State, player: int, np_random: np.random.Generator) -> str:
        if player == 0:
            return f"say {state.wish}"[:290]
        told = [line.text.removeprefix("say ") for line in state.log if line.player == 0]
        if "buy now" in state.clickables:
            return "click[buy now]"
        if "1" in state.clickables:
            return "click[1]"
        return f"search[{told[-1] if told else 'gift'}]" if state.search else "click[back to search]"

    def advise(self, state: State, player: int) -> str:
        """Say the wish; as the shopper, what the shop's own oracle does."""
        if player == 0:
            return self._scripted(state, 0, np.random.default_rng(0))
        self.shop.restore(state.shop)
        return self.shop.oracle()
