"""Skills of the arm in words: what each does, what it takes, and which one comes next."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import arm
from .core import Core
from .families.drawer import OPENED, OpenDrawer, open_drawer
from .families.push import ARRIVED
from .manipulation import Manipulation
from .motions import CARRY, Hand, Wish, leave, pick, push
from .scene import MARKER, OBJECT_HEIGHT, PAD
from .skill import Refused, Skill

ABOVE = 0.015
"""How near the hand comes to a vertical through what it moves to, in metres."""
UNDER_HAND = 0.03
"""How far aside something may be that the hand comes down on."""
BACK = 0.03
"""How much farther than needed a drawer is pulled, in metres."""


class ArmSkills:
    """What a language agent can do with the arm of one scene.

    A skill is a script of wishes that looks at the scene at each step; what it was for may still fail, and the text
    says so.
    """

    def __init__(self, core: Core, family: Manipulation) -> None:
        self._core, self._world, self._family = core, core.world, family
        self.skills: dict[str, Skill] = {
            "move_to": Skill("move_to(name)", self._move_to, self._told_move),
            "move": Skill("move(x, y)", self._move, self._told_move),
            "grasp": Skill("grasp()", self._grasp, self._told_grasp),
            "release": Skill("release()", self._release, self._told_release),
            "push": Skill("push(object, place)", self._push, self._told_push),
        }
        if isinstance(family, OpenDrawer):
            del self.skills["push"]
            self.skills["pull"] = Skill("pull()", self._pull, self._told_pull)
        self.guide = (
            "You control a robot arm over a table by skills. Answer with one skill and nothing else:\n"
            "move_to(name) - move the hand over something that is named in the scene;\n"
            "move(x, y) - move the hand over a point of the table, in centimetres;\n"
            "grasp() - go down, take what is under the hand and lift it, or take hold of a handle;\n"
            "release() - put down what the hand holds and let go;\n"
            + (
                "pull() - pull the handle that the hand holds."
                if isinstance(family, OpenDrawer)
                else "push(object, place) - push an object over the table to a place, with an empty hand."
            )
        )

    def _act(self, wish: Wish) -> np.ndarray:
        """The action ``[A]`` that follows a wish."""
        return arm.towards(self._world, 0, wish.position, wish.gap, self._core.control)

    # What there is.

    def _hand(self) -> Hand:
        return self._family.hand(self._world, 0)

    def _grip(self) -> np.ndarray:
        return arm.grip(self._world)[0]

    def _names(self) -> tuple[str, ...]:
        layout = self._world.layout(0)
        return layout.things + layout.places

    def _at(self, name: str) -> np.ndarray:
        """Where something is, ``[3]``; of a handle, its middle."""
        layout = self._world.layout(0)
        if name in layout.things:
            return self._world.object_position(layout.things.index(name))[0]
        number = layout.places.index(name)
        if isinstance(self._family, OpenDrawer):
            return self._family.handle(self._world, number)[0]
        return self._world.place_position(number)[0]

    def _known(self, name: str) -> str:
        if name not in self._names():
            raise Refused(f"There is no {name!r}; there are {', '.join(self._names())}.")
        return name

    def held(self) -> str | None:
        """What the hand holds, by name."""
        layout, hand = self._world.layout(0), self._hand()
        for number, holds in enumerate(hand.held):
            if holds:
                return layout.things[number]
        if isinstance(self._family, OpenDrawer):
            for number, name in enumerate(layout.places):
                if self._family.grips(self._world, number)[0]:
                    return name
        return None

    def _under(self, point: np.ndarray, names: tuple[str, ...]) -> str | None:
        """Which of ``names`` is beneath a point: the highest of those within reach of a hand that comes down."""
        below = [name for name in names if np.hypot(*(self._at(name) - point)[:2]) < UNDER_HAND]
        return max(below, key=lambda name: float(self._at(name)[2]), default=None)

    def _graspable(self) -> tuple[str, ...]:
        layout = self._world.layout(0)
        return layout.places if isinstance(self._family, OpenDrawer) else layout.things

    def _surface(self, point: np.ndarray, but: str) -> float:
        """The height of what would carry an object that is put down at a point, in metres."""
        layout, height = self._world.layout(0), 0.0
        for number, kind in enumerate(self._family.places):
            inside = np.abs(self._world.place_position(number)[0] - point)[:2].max() < PAD.size[0]
            if kind is PAD and inside:
                height = 2 * PAD.size[2]
        thing = self._under(point, tuple(name for name in layout.things if name != but))
        return height if thing is None else max(height, float(self._at(thing)[2]) + OBJECT_HEIGHT / 2)

    # The skills.

    def _go(self, goal: np.ndarray) -> Iterator[np.ndarray]:
        gap = 0.0 if self.held() else 1.0
        while True:
            way = goal - self._grip()
            if np.hypot(*way[:2]) < ABOVE / 2 and abs(way[2]) < ABOVE:
                return
            # Up first, so that nothing is swept off the table.
            low = self._grip()[2] < CARRY - 0.03 and np.hypot(*way[:2]) > ABOVE and goal[2] >= CARRY
            yield self._act(Wish(np.array([*self._grip()[:2], CARRY]) if low else goal, gap))

    def _move_to(self, name: str) -> Iterator[np.ndarray]:
        if self._known(name) == self.held():
            raise Refused(f"The hand holds the {name}.")
        self._refuse_on_handle()
        return self._go(self._goal_over(name))

    def _goal_over(self, name: str) -> np.ndarray:
        here = self._at(name)
        return here.copy() if MARKER in self._family.places else np.array([*here[:2], CARRY])

    def _move(self, x: str, y: str) -> Iterator[np.ndarray]:
        try:
            point = np.array([float(x) / 100, float(y) / 100, CARRY])
        except ValueError:
            raise Refused(f"move takes two numbers in centimetres, not {x!r} and {y!r}.") from None
        if not (0.25 <= point[0] <= 0.6 and -0.32 <= point[1] <= 0.32):
            raise Refused("The hand reaches x from 25 to 60 and y from -32 to 32.")
        self._refuse_on_handle()
        return self._go(point)

    def _refuse_on_handle(self) -> None:
        if isinstance(self._family, OpenDrawer) and self.held():
            raise Refused(f"The hand holds the {self.held()}; pull() or release() it.")

    def _told_move(self, *_: str) -> str:
        under = self._under(self._grip(), tuple(name for name in self._names() if name != self.held()))
        return "The hand has moved." if under is None else f"The hand is at the {under}."

    def _grasp(self) -> Iterator[np.ndarray]:
        if self.held():
            raise Refused(f"The hand already holds the {self.held()}.")
        name = self._under(self._grip(), self._graspable())
        if name is None:
            raise Refused("There is nothing under the hand to grasp.")
        return self._take(name)

    def _take(self, name: str) -> Iterator[np.ndarray]:
        if isinstance(self._family, OpenDrawer):
            number = self._world.layout(0).places.index(name)
            while not self._family.grips(self._world, number)[0]:
                yield self._act(open_drawer(self._family, self._world, 0, number))
            return
        while self.held() is None:
            yield self._act(pick(self._hand(), self._at(name)))
        while self.held() is not None and self._grip()[2] < CARRY - ABOVE:
            yield self._act(Wish(np.array([*self._grip()[:2], CARRY]), 0.0))

    def _told_grasp(self) -> str:
        return f"The hand holds the {self.held()}." if self.held() else "The hand closed on nothing."

    def _release(self) -> Iterator[np.ndarray]:
        name = self.held()
        if name is None:
            raise Refused("The hand holds nothing.")
        return self._put_down(name)

    def _put_down(self, name: str) -> Iterator[np.ndarray]:
        if not isinstance(self._family, OpenDrawer):
            floor = self._surface(self._at(name), name) + OBJECT_HEIGHT / 2
            point = self._grip()[:2].copy()
            while self.held() == name and (drop := float(self._at(name)[2]) - floor) > 0.004:
                yield self._act(Wish(np.array([*point, self._grip()[2] - drop]), 0.0))
        while arm.opening(self._world)[0] < 0.072 or self._grip()[2] < CARRY - ABOVE:
            yield self._act(leave(self._hand()))

    def _told_release(self) -> str:
        return "The hand is empty."

    def _push(self, name: str, place: str) -> Iterator[np.ndarray]:
        if self._known(name) not in self._world.layout(0).things:
            raise Refused(f"The {name} cannot be pushed.")
        if self._known(place) == name:
            raise Refused("Nothing can be pushed to itself.")
        if self.held():
            raise Refused(f"The hand holds the {self.held()}; release() it first.")
        return self._follow(name, place)

    def _follow(self, name: str, place: str) -> Iterator[np.ndarray]:
        number = self._world.layout(0).things.index(name)
        while not self._has_come(name, place):
            yield self._act(push(self._hand(), number, self._at(name), self._at(place)))
        while self._grip()[2] < CARRY - ABOVE:
            yield self._act(leave(self._hand()))

    def _has_come(self, name: str, place: str) -> bool:
        return bool(np.hypot(*(self._at(name) - self._at(place))[:2]) < 0.8 * ARRIVED)

    def _told_push(self, name: str, place: str) -> str:
        return f"The {name} is {'at' if self._has_come(name, place) else 'not yet at'} the {place}."

    def _pull(self) -> Iterator[np.ndarray]:
        name = self.held()
        if name is None:
            raise Refused("The hand holds no handle.")
        return self._draw_out(self._world.layout(0).places.index(name))

    def _draw_out(self, number: int) -> Iterator[np.ndarray]:
        family = self._family
        assert isinstance(family, OpenDrawer)
        while family.grips(self._world, number)[0] and family.slide(self._world, number)[0] < OPENED + BACK:
            yield self._act(open_drawer(family, self._world, 0, number))

    def _told_pull(self) -> str:
        return f"The hand has pulled the {self.held()}." if self.held() else "The hand slipped off the handle."

    # What is seen, and what to do.

    def describe(self) -> list[str]:
        """The scene in lines of words; positions are x and y in centimetres."""
        layout, held = self._world.layout(0), self.held()
        x, y, _ = 100 * self._grip()
        lines = [f"Hand: {'holds the ' + held if held else 'empty'}, over ({x:.0f}, {y:.0f})"]
        for name in self._names():
            if name == held and name in layout.things:
                continue
            x, y, height = 100 * self._at(name)
            lines.append(f"{name}: ({x:.0f}, {y:.0f})" + self._addition(name, height))
        return lines

    def _addition(self, name: str, height: float) -> str:
        if isinstance(self._family, OpenDrawer):
            out = self._family.slide(self._world, self._world.layout(0).places.index(name))[0]
            return f", {100 * out:.0f} cm open"
        carrier = self._carrier(name)
        if carrier:
            return f", on the {carrier}"
        return f", height {height:.0f}" if MARKER in self._family.places else ""

    def _carrier(self, name: str) -> str | None:
        """What an object stands on, but for the table."""
        layout, here = self._world.layout(0), self._at(name)
        if name not in layout.things:
            return None
        for below in self._names():
            way = here - self._at(below)
            if below != name and np.hypot(*way[:2]) < PAD.size[0] and 0.01 < way[2] < 0.05:
                return below
        return None

    def next(self) -> str:
        """The skill that a script would do now."""
        layout, held = self._world.layout(0), self.held()
        if MARKER in self._family.places:
            return f"move_to({layout.places[0]})"
        if isinstance(self._family, OpenDrawer):
            if held:
                return "pull()" if held == layout.places[0] else "release()"
            return self._take_text(layout.places[0])
        if not self._family.lifts:
            return "release()" if held else f"push({layout.things[0]}, {layout.places[0]})"
        moves = dict(self._family.moves(self._world, 0))
        if held is None:
            return self._take_text(next(iter(moves), layout.things[0]))
        if held in moves:
            goal = moves[held]
            return "release()" if self._is_over(self._at(goal)) else f"move_to({goal})"
        return self._set_aside(held)

    def _take_text(self, name: str) -> str:
        return "grasp()" if self._under(self._grip(), self._graspable()) == name else f"move_to({name})"

    def _is_over(self, point: np.ndarray) -> bool:
        return bool(np.hypot(*(point - self._grip())[:2]) < ABOVE)

    def _set_aside(self, held: str) -> str:
        """Put down what is in the way where nothing else is."""
        others = [self._at(name)[:2] for name in self._names() if name != held]

        def room(point: np.ndarray) -> float:
            return min(float(np.hypot(*(point - other))) for other in others)

        if room(self._grip()[:2]) > 0.1:
            return "release()"
        points = [np.array([x, y]) / 100 for x in range(28, 58, 4) for y in range(-28, 29, 4)]
        best = max(points, key=room)
        return "release()" if self._is_over(best) else f"move({100 * best[0]:.0f}, {100 * best[1]:.0f})"
