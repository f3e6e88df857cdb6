"""``WebShop-v0``: find, customise and buy the product that an instruction asks for."""

from __future__ import annotations

import operator
import os
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import gymnasium
from gymnasium.error import ResetNeeded

from ..spaces import AnyText
from .action import parse_action
from .goals import SPLITS, Goal
from .load import shared_catalogue, shared_goals, shared_search
from .nouns import NounFunction, NounTagger, default_tagger, remembered
from .oracle import Plan, browsing, make_plan, next_action
from .pages import (
    BACK_TO_SEARCH,
    BUY,
    NEXT_PAGE,
    PREVIOUS_PAGE,
    SUBPAGES,
    Kind,
    State,
    clickables,
    numbered,
    render_brief,
    render_text,
    render_text_rich,
)
from .scoring import score_purchase
from .search import CachedSearch, SearchFunction, numbers_of

_RENDER = {"text": render_text, "text_rich": render_text_rich, "brief": render_brief}
_BRIEF_GUIDE = (
    "Results are numbered: click[3] opens the third. Pages leave out the buttons that are always there: back to "
    "search, next > and < prev on results; description, features, reviews, < prev and buy now on a product."
)
_SUBPAGES = {name.lower(): name for name in SUBPAGES}
_QUOTED_CHARACTERS = 80
_LISTED_NAMES = 40


class WebShop(gymnasium.Env[str, str]):
    """A shop of text pages, and an instruction to buy one thing in it.

    The environment of Yao et al. 2022 (https://arxiv.org/abs/2207.01206), step for step.

    Actions are ``search[words]`` and ``click[something clickable]``; ``guide`` says it in words.  Buying ends the
    episode and pays the score of the purchase, in [0, 1]; every other action pays 0.  An invalid action changes
    nothing: ``info["valid_action"]`` is False and ``info["feedback"]`` says what is wrong.

    ``info`` always holds ``clickables``, ``has_search_bar``, ``goal`` and ``valid_action``; after the purchase also
    every part of the score (:func:`~palestra.envs.webshop.scoring.score_purchase`), ``score`` and ``success`` among
    them, and the ``noun_tagger`` that it was made with.

    Args:
        catalogue: folder with WebShop's three files (``items_shuffle*.json``, ``items_ins_v2*.json``,
            ``items_human_ins*.json``); by default the embedded shop of 1,000 products.
        observation: ``"text"``, one line with ``[SEP]`` between the pieces of the page, or ``"text_rich"``, one piece
            a line with buttons marked, or ``"brief"``, for small contexts: only what is new on the page, with the
            results numbered, so that ``click[3]`` opens the third.
        price_seed: seed of the prices of products with a price range, and of the price limits of the goals.
        shuffle_seed: seed of the order of the goals.
        search: ``search(query, k)`` -> at most k asins in rank order; by default BM25.
        nouns: ``nouns(title)`` -> the nouns of a title, lower-cased; by default spaCy's if it is installed, else a
            rule.
        human_goals: goals that people wrote; otherwise synthetic ones.
        progress: also give ``info["progress"]``, the score that a purchase here and now would make: of the product
            looked at with the options clicked so far, 0 on pages of none.  It is for rewards; agents do not see it.
        oracle: whether :meth:`oracle` goes straight to the goal's product, which it ``"knows"``, or ``"browses"``: it
            opens the results from the top until one suits, so that all it does follows from what it has seen.
        render_mode: ``"ansi"`` makes :meth:`render` return the page as ``text_rich``.

    Raises:
        CatalogueError: the catalogue's files are missing or broken.
        ValueError: an argument has an unknown value.
        TypeError: a seed is no whole number.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 - as gymnasium.Env has it

    guide = (
        "You are shopping on the web. Buy the product that the instruction asks for, with the options it names and "
        "below its price limit. Answer each page with one action:\n"
        "search[words] - search the shop, possible on every page;\n"
        "click[name] - click a button, a product code or an option of the page, named exactly as shown.\n"
        "click[buy now] on a product's page buys it with the options clicked so far and ends the episode, so first "
        "click every option that the instruction wants. The score counts the kind of product, its attributes, its "
        "options and its price."
    )

    def __init__(
        self,
        catalogue: str | os.PathLike[str] | None = None,
        observation: Literal["text", "text_rich", "brief"] = "text",
        price_seed: int = 0,
        shuffle_seed: int = 233,
        search: SearchFunction | None = None,
        nouns: NounFunction | None = None,
        human_goals: bool = True,
        progress: bool = False,
        oracle: Literal["knows", "browses"] = "knows",
        render_mode: str | None = None,
    ) -> None:
        if observation not in _RENDER:
            raise ValueError(f"observation must be one of {', '.join(map(repr, _RENDER))}, not {observation!r}")
        if render_mode not in (None, "ansi"):
            raise ValueError(f"render_mode must be None or 'ansi', not {render_mode!r}")
        if oracle not in ("knows", "browses"):
            raise ValueError(f"oracle must be 'knows' or 'browses', not {oracle!r}")
        self.render_mode = render_mode
        self.observation_space = AnyText()
        self.action_space = AnyText()
        self._render = _RENDER[observation]
        self._brief = observation == "brief"
        if self._brief:
            self.guide = f"{type(self).guide} {_BRIEF_GUIDE}"
        self._catalogue = shared_catalogue(catalogue)
        self._product = self._catalogue.product
        self._goals = shared_goals(
            self._catalogue, operator.index(price_seed), operator.index(shuffle_seed), bool(human_goals)
        )
        if not len(self._goals):
            raise ValueError(f"{self._catalogue.name} has no {'human' if human_goals else 'synthetic'} goals")
        self._progress = progress
        self._browses = oracle == "browses"
        self._own_search = CachedSearch(numbers_of(search, self._catalogue)) if search else None
        self._own_tagger = NounTagger("custom", remembered(nouns)) if nouns else None
        self._plan: tuple[Goal, Plan] | None = None
        self._goal: Goal | None = None
        self._state = State()

    @cached_property
    def _search(self) -> CachedSearch:
        return self._own_search or shared_search(self._catalogue)

    @cached_property
    def _tagger(self) -> NounTagger:
        return self._own_tagger or default_tagger()

    @property
    def noun_tagger(self) -> str:
        """Which noun tagger the score uses: ``"spacy:en_core_web_sm"``, ``"rule"`` or ``"custom"``."""
        return self._tagger.name

    def tasks(self, split: str) -> int:
        """How many goals a split has."""
        return len(self._goals.split(split))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Open a goal's search page.

        ``options`` is ``{"goal": i}`` for goal i of the shuffled list, ``{"split": s, "task": i}`` for goal i of a
        split, or ``{"split": s}`` for a random one; ``split`` is ``"train"`` by default.  Without options a training
        goal is drawn; a catalogue too small to have any draws from all its goals, with a warning.

        Raises:
            ValueError: an unknown option, split, or goal; the message names what there is.
        """
        super().reset(seed=seed)
        self._goal = self._goals[self._choose(options or {})]
        self._state = State()
        return self._observe(), self._info()

    def _choose(self, options: Mapping[str, Any]) -> int:
        unknown = set(options) - {"goal", "task", "split"}
        if unknown:
            name = min(map(str, unknown))
            raise ValueError(f"unknown reset option {name!r}; there are 'goal', 'task' and 'split'")
        if "goal" in options:
            if len(options) > 1:
                raise ValueError("reset takes either 'goal' or 'task' with 'split', not both")
            return _pick(range(len(self._goals)), options["goal"], "goal")
        split = options.get("split", "train")
        numbers = self._goals.split(split)
        if "task" in options:
            return _pick(numbers, options["task"], f"{split} task")
        if not numbers and "split" in options:
            raise ValueError(f"the {split} split is empty: {self._catalogue.name} has only {len(self._goals)} goals")
        if not numbers:
            warnings.warn(
                f"{self._catalogue.name} has only {len(self._goals)} goals, those for training start at "
                f"{SPLITS['train'][0]}: drawing from all goals, the test goals included",
                stacklevel=3,
            )
            numbers = range(len(self._goals))
        return numbers[int(self.np_random.integers(len(numbers)))]

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Act.  Only a purchase pays, and it ends the episode; there is no step limit in here.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, and after the purchase.
        """
        self._current_goal()
        if self._state.kind is Kind.DONE:
            raise ResetNeeded("the episode is over: the purchase has been made; call reset()")
        name, argument = parse_action(action)
        feedback = None
        parts: dict[str, Any] = {}
        if name == "search" and argument:
            self._state = self._searched(argument)
        elif name == "click" and argument and argument != "search" and argument in self._clickables():
            if argument == BUY.lower() and self._state.kind is Kind.ITEM:
                parts = self._buy()
            else:
                self._state = self._clicked(self._numbers().get(argument, argument))
        else:
            feedback = self._feedback(action, name, argument)
        reward = float(parts.get("score", 0.0))
        return self._observe(again=feedback is not None), reward, bool(parts), False, self._info(feedback) | parts

    def _searched(self, query: str, page: int = 1) -> State:
        return State(Kind.RESULTS, query, self._search(query), page, visited=self._state.visited)

    def _clicked(self, name: str) -> State:
        """The page that a click on a clickable leads to."""
        state = self._state
        if name == BACK_TO_SEARCH.lower():
            return State()
        if state.kind is Kind.RESULTS:
            if name == NEXT_PAGE.lower():
                return state._replace(page=state.page + 1, product=-1)
            if name == PREVIOUS_PAGE.lower():
                return state._replace(page=state.page - 1, product=-1)
            # Of two products that differ in the case of their codes, the page's last link has the name.
            product = next(n for n in reversed(state.shown()) if self._product(n).asin.lower() == name)
            return state._replace(kind=Kind.ITEM, product=product, visited=state.visited | {product})
        if state.kind is Kind.SUBPAGE:
            return state._replace(kind=Kind.ITEM, subpage="")
        if name == PREVIOUS_PAGE.lower():
            return state._replace(kind=Kind.RESULTS, chosen=())
        if name in _SUBPAGES:
            return state._replace(kind=Kind.SUBPAGE, subpage=_SUBPAGES[name])
        group = self._product(state.product).option_groups[name]
        return state._replace(chosen=tuple((dict(state.chosen) | {group: name}).items()))

    def _buy(self) -> dict[str, Any]:
        parts = self._purchase()
        self._state = self._state._replace(kind=Kind.DONE, score=parts["score"])
        return {**parts, "noun_tagger": self._tagger.name}

    def _purchase(self) -> dict[str, Any]:
        """The score of buying the product of this page, as it is chosen."""
        return self._score(self._state.product, [value for _, value in self._state.chosen])

    def _score(self, number: int, options: list[str]) -> dict[str, Any]:
        """Every part of the score that buying a product with these options makes."""
        goal = self._current_goal()
        product, target = self._product(number), self._product(goal.product)
        return score_purchase(
            goal,
            target,
            product,
            float(self._goals.prices[product.index]),
            options,
            self._tagger.nouns(product.title),
            self._tagger.nouns(target.title),
        )

    def _feedback(self, action: object, name: str, argument: str | None) -> str:
        """One sentence on why an action did nothing."""
        if not isinstance(action, str):
            return f"An action is text such as search[words] or click[name], not {type(action).__name__}."
        if argument is None:
            return f"{_quote(action)} is not an action; write search[words] or click[name]."
        if name not in ("search", "click"):
            return f"There is no action {_quote(name)}; write search[words] or click[name]."
        if argument == "search":
            return "The search button needs words; write search[words]."
        if self._brief:
            return f"{_quote(argument)} cannot be clicked here."
        names = self._clickables()
        listed = ", ".join(map(_quote, names[:_LISTED_NAMES]))
        more = f" and {len(names) - _LISTED_NAMES} more" if len(names) > _LISTED_NAMES else ""
        return f"{_quote(argument)} cannot be clicked on this page; what can be clicked is {listed}{more}."

    def _current_goal(self) -> Goal:
        if self._goal is None:
            raise ResetNeeded("call reset() first")
        return self._goal

    def _numbers(self) -> dict[str, str]:
        """What the numbers on the page stand for; none but in brief observations."""
        return numbered(self._state, self._product) if self._brief else {}

    def _clickables(self) -> list[str]:
        names = {name: number for number, name in self._numbers().items()}
        return [names.get(name, name) for name in clickables(self._state, self._product)]

    def _observe(self, again: bool = False) -> str:
        goal = self._current_goal()
        if self._brief:
            return render_brief(self._state, goal.instruction, self._product, goal.price_upper, again)
        return self._render(self._state, goal.instruction, self._product)

    def _info(self, feedback: str | None = None) -> dict[str, Any]:
        info: dict[str, Any] = {
            "clickables": self._clickables(),
            "has_search_bar": self._state.kind is Kind.SEARCH,
            "goal": self._current_goal().as_info(),
            "valid_action": feedback is None,
        }
        if feedback is not None:
            info["feedback"] = feedback
        if self._progress:
            info["progress"] = self._progress_made()
        return info

    def _progress_made(self) -> float:
        if self._state.kind is Kind.DONE:
            return self._state.score
        if self._state.kind in (Kind.ITEM, Kind.SUBPAGE):
            return float(self._purchase()["score"])
        return 0.0

    def render(self) -> str | None:
        """The page as ``text_rich`` where ``render_mode`` is ``"ansi"``, else nothing."""
        if self.render_mode is None:
            return None
        return render_text_rich(self._state, self._current_goal().instruction, self._product)

    def oracle(self) -> str:
        """The next action of a scripted solver, which plays through the same pages but knows the goal's product.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset, and after the purchase.
        """
        goal = self._current_goal()
        if self._state.kind is Kind.DONE:
            raise ResetNeeded("the episode is over: the purchase has been made; call reset()")
        if self._plan is None or self._plan[0] is not goal:
            self._plan = goal, self._make_plan(goal)
        action = next_action(self._plan[1], self._state, self._product)
        names = {f"click[{name}]": f"click[{number}]" for number, name in self._numbers().items()}
        return names.get(action, action)

    def _make_plan(self, goal: Goal) -> Plan:
        plan = make_plan(goal, self._product, self._search)
        if not self._browses:
            return plan
        return browsing(plan, goal, self._product, self._search(plan.query), self._suits)

    def _suits(self, product: int, options: list[str]) -> bool:
        return bool(self._score(product, options)["success"])

    def snapshot(self) -> Any:
        """Everything that the future depends on, as a small immutable value."""
        generator = self.np_random.bit_generator.state
        words = generator["state"]
        number = None if self._goal is None else self._goal.number
        return number, self._state, (words["state"], words["inc"], generator["has_uint32"], generator["uinteger"])

    def restore(self, state: Any) -> None:
        """Go back to a :meth:`snapshot` of this environment, or of another one made with the same arguments."""
        number, self._state, (word, inc, has_uint32, uinteger) = state
        if number is None:
            self._goal = None
        elif self._goal is None or self._goal.number != number:
            self._goal = self._goals[number]
        self.np_random.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": word, "inc": inc},
            "has_uint32": has_uint32,
            "uinteger": uinteger,
        }


def _pick(numbers: range, index: Any, what: str) -> int:
    try:
        position = operator.index(index)
    except TypeError:
        raise ValueError(f"{what} must be a whole number, not {index!r}") from None
    if not 0 <= position < len(numbers):
        there_are = f"there are 0 to {len(numbers) - 1}" if numbers else "there is none"
        raise ValueError(f"no {what} {position}: {there_are}")
    return numbers[position]


def _quote(text: str) -> str:
    return repr(text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + "...")
