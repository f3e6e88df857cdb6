"""Two arms across a table: a bar lies where only one can reach it, and has to go where only the other can."""

from __future__ import annotations

import numpy as np

from ...robot.arm import HOME, LEASH, MOVE, OPEN, at_home
from ...robot.kinematics import HIGHEST, LOWEST, grip_position, joints_for
from ...robot.scene import PAD, rest_pose
from ...robot.world import Layout, World
from .rules import ROLES, Rules, Verdict

_JOINTS = 7
"""Of each arm, with its two fingers."""
_MEETING = np.array([0.5, 0.0, 0.2])
"""Where the bar changes hands, in metres of the table."""
_APART = 0.02
"""How far from the bar's middle each arm takes it, in metres: room for the other's fingers."""
_NEAR = 0.012
"""How near is there, in metres."""
_ABOVE = 0.1
"""How far above the bar or the pad an arm comes and goes, in metres."""
_ON_PAD = 0.03
"""How far from the pad's middle the bar may lie, in metres."""


class RobotHandOver(Rules):
    """Lay a bar on a pad, together: both are paid 1 when it lies there and both hands are off it.

    The first arm reaches the bar and not the pad, the second the pad and not the bar; between them is a strip that both
    reach.  An action is how to move the grip in x, y and z (2.5 cm), as the arm sees it, and the gripper, from closed
    (-1) to open (1).
    """

    name = "RobotHandOver"
    guide = (
        "Two robot arms at either end of a table. A bar lies near robot_0 and must come to the pad near robot_1, which "
        "robot_0 cannot reach: robot_0 takes the bar and offers it, robot_1 takes it too, robot_0 lets go and backs "
        "off, robot_1 puts it on the pad, lets go and backs off. Answer with one of the actions and nothing else."
    )
    file = "two_arms.xml"
    places = (PAD,)
    shapes = ("bar",)
    numbers = 4
    words = {  # noqa: RUF012 - read only
        "take": "move to the bar with an open hand, and close it there",
        "offer": "hold what is in the hand in the middle of the table",
        "place": "move what is in the hand onto the pad",
        "let go": "open the hand",
        "back off": "open the hand and go home",
        "wait": "stay",
    }
    hold = 12
    limit = 400

    def layout(self, np_random: np.random.Generator) -> Layout:
        """The bar across the table near the first arm, the pad near the second."""
        bar = rest_pose(np_random.uniform(0.25, 0.33), np_random.uniform(-0.12, 0.12), 0.0)
        pad = [np_random.uniform(0.68, 0.74), np_random.uniform(-0.12, 0.12), PAD.size[2]]
        joints = np.concatenate([at_home(), at_home(), bar])
        return Layout(("Lay the bar on the pad.",), ("red bar",), ("blue pad",), joints, np.array([pad]))

    def rest(self, layout: Layout) -> np.ndarray:
        """Both arms at home with open grippers."""
        return np.tile(at_home(), 2)

    def command(self, world: World, actions: np.ndarray) -> np.ndarray:
        """Servo targets of both arms, as of one alone: joints for the moved command, and the fingers."""
        parts = []
        for player, action in enumerate(actions):
            wanted = _commanded(world, player) + MOVE * action[:3]
            here = _grip(world, player)
            wanted = np.clip(np.clip(wanted, here - LEASH, here + LEASH), LOWEST, HIGHEST)
            finger = OPEN * (action[3] + 1) / 2
            parts.append(np.append(joints_for(wanted[None])[0], [finger, finger]))
        return np.concatenate(parts)[None]

    def observe(self, world: World, player: int) -> np.ndarray:
        """Seen from the arm: its grip (3), command (3), gap (1) and joints (5), the other's grip (3) and gap (1), and
        how far it is from the grip to the bar (3), how the bar is turned (4), and to the pad (3).
        """
        here = _grip(world, player)
        parts = [
            here,
            _commanded(world, player) - here,
            [_gap(world, player)],
            _joints(world, player)[:5],
            _seen(player, _seen(1 - player, _grip(world, 1 - player))) - here,
            [_gap(world, 1 - player)],
            _seen(player, _bar(world)) - here,
            world.object_pose(0)[0, 3:],
            _seen(player, _pad(world)) - here,
        ]
        return np.concatenate(parts)

    def describe(self, world: World, player: int) -> str:
        """Where both hands, the bar and the pad are, and who holds the bar."""
        held = [role for number, role in enumerate(ROLES) if holds(world, number)]
        lines = [
            f"The bar is at {_cm(_seen(player, _bar(world)))}, held by {' and '.join(held) or 'nobody'}.",
            f"The pad is at {_cm(_seen(player, _pad(world)))}.",
            f"Your hand is at {_cm(_grip(world, player))} and {_hand(world, player)}.",
            f"The other hand is at {_cm(_seen(player, _seen(1 - player, _grip(world, 1 - player))))} and "
            f"{_hand(world, 1 - player)}.",
        ]
        return "\n".join(lines)

    def act(self, world: World, player: int, word: str) -> np.ndarray:
        """Go straight to where the word says, or above it first."""
        here, side = _grip(world, player), np.array([0.0, -_APART, 0.0])
        if word == "take":
            return self._take(world, player)
        if word == "offer":
            return _towards(world, player, _seen(player, _MEETING) + side, closed=True)
        if word == "place":
            goal = _seen(player, _pad(world)) + side
            above = np.hypot(*(goal - here)[:2]) > _NEAR
            goal[2] += _ABOVE if above else PAD.size[2] + 0.022
            return _towards(world, player, goal, closed=True)
        if word == "let go":
            return _towards(world, player, _commanded(world, player), closed=False)
        if word == "back off":
            # Straight up first, so that the fingers leave the bar as it is.
            up = here[2] < HOME[2] - 0.02 and here[0] > HOME[0] - 0.3 and np.hypot(*(HOME - here)[:2]) > _NEAR
            goal = np.array([here[0], here[1], HOME[2]]) if up else HOME
            return _towards(world, player, goal, closed=False)
        return _towards(world, player, _commanded(world, player), closed=_finger(world, player) < OPEN / 2)

    def _take(self, world: World, player: int) -> np.ndarray:
        here = _grip(world, player)
        end = _seen(player, _bar(world)) + np.array([0.0, -_APART, 0.0])
        aside = float(np.hypot(*(end - here)[:2]))
        if aside < _NEAR and abs(end[2] - here[2]) < _NEAR:
            return _towards(world, player, end, closed=True)
        goal = end if aside < _NEAR else end + np.array([0.0, 0.0, _ABOVE])
        return _towards(world, player, goal, closed=False)

    def advise(self, world: World, player: int) -> str:
        """The next step of the hand-over."""
        own, other = holds(world, player), holds(world, 1 - player)
        if self._lies_there(world):
            return "back off"
        if player == 0:
            if not own:
                there = _bar(world)[0] < 0.45
                return "take" if there and not other else "back off"
            if other:
                return "let go"
            return "offer" if np.abs(_bar(world) - _MEETING)[[0, 2]].max() > 0.02 else "wait"
        if not own:
            at_meeting = np.abs(_bar(world) - _MEETING)[[0, 2]].max() < 0.025
            within = _bar(world)[0] > 0.42
            return "take" if at_meeting or (within and not other) else "wait"
        if other or (_gap(world, 0) < 0.06 and np.hypot(*(_bar(world) - _MEETING)[:2]) < 0.03):
            return "wait"
        return "let go" if self._over_pad(world) and _bar(world)[2] < 2 * PAD.size[2] + 0.026 else "place"

    def judge(self, world: World) -> Verdict:
        """Whether the bar lies on the pad and nobody holds it."""
        done = self._lies_there(world) and all(_gap(world, player) > 0.06 for player in (0, 1))
        return Verdict(done, (float(done), float(done)))

    def _over_pad(self, world: World) -> bool:
        return bool(np.hypot(*(_bar(world) - _pad(world))[:2]) < _ON_PAD)

    def _lies_there(self, world: World) -> bool:
        free = not any(holds(world, player) for player in (0, 1))
        low = _bar(world)[2] < 2 * PAD.size[2] + 0.024
        return free and bool(low) and self._over_pad(world) and float(np.abs(world.object_speed(0)[0]).max()) < 0.05


def holds(world: World, player: int) -> bool:
    """Whether an arm's gripper has closed on the bar: it is between the fingers, which stopped on it."""
    offset = np.abs(_seen(player, _bar(world)) - _grip(world, player))
    speeds = world.joint_speeds[0, _JOINTS * player + 5 : _JOINTS * (player + 1)]
    between = offset[0] < 0.015 and offset[1] < 0.035 and offset[2] < 0.025
    closed = _finger(world, player) < OPEN / 2 and float(np.abs(speeds).max()) < 0.03
    return bool(between and closed and _gap(world, player) > 0.02)


def _seen(player: int, point: np.ndarray) -> np.ndarray:
    """A point of the table ``[3]`` as an arm sees it, or the other way round: the second one faces the first."""
    return point.copy() if player == 0 else np.array([1.0 - point[0], -point[1], point[2]])


def _joints(world: World, player: int) -> np.ndarray:
    return world.joints[0, _JOINTS * player : _JOINTS * (player + 1)]


def _grip(world: World, player: int) -> np.ndarray:
    """The point between an arm's fingertips as it sees it, ``[3]``."""
    return grip_position(_joints(world, player)[None, :5])[0]


def _commanded(world: World, player: int) -> np.ndarray:
    """The position that an arm was last told to hold, ``[3]``."""
    return grip_position(world.command[:, _JOINTS * player : _JOINTS * player + 5])[0]


def _finger(world: World, player: int) -> float:
    """How far a finger was last told to open, in metres."""
    return float(world.command[0, _JOINTS * player + 5])


def _gap(world: World, player: int) -> float:
    return float(_joints(world, player)[5:].sum())


def _bar(world: World) -> np.ndarray:
    return world.object_position(0)[0]


def _pad(world: World) -> np.ndarray:
    return world.place_position(0)[0]


def _towards(world: World, player: int, position: np.ndarray, closed: bool) -> np.ndarray:
    """The action that brings an arm nearest to a position ``[3]`` on a straight way."""
    way = (position - _commanded(world, player)) / MOVE
    return np.append(way / max(1.0, float(np.abs(way).max())), -1.0 if closed else 1.0)


def _cm(point: np.ndarray) -> str:
    return "({}, {}, {}) cm".format(*(round(100 * value) for value in point))


def _hand(world: World, player: int) -> str:
    return "holds the bar" if holds(world, player) else "open" if _gap(world, player) > 0.06 else "closed"
