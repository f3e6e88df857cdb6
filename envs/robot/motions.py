"""Motions of the hand that look only at how things are now, so that they go on from wherever something led."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kinematics import HIGHEST, LOWEST

CARRY = 0.16
"""The height at which the hand travels, above everything that stands on the table, in metres."""
CLEARANCE = 0.025
"""Beyond the grip's centre, what a hand that comes down beside a thing takes up, in metres."""
HALF = 0.02
"""Half the height of every object."""


class Hand(NamedTuple):
    """The grip's position ``[3]``, the gap between the fingers in metres, and which objects are held."""

    position: np.ndarray
    opening: float
    held: tuple[bool, ...]


class Wish(NamedTuple):
    """Where the hand should be ``[3]``, and how far the gripper should be open, from 0 to 1."""

    position: np.ndarray
    gap: float


def travel(hand: Hand, goal: np.ndarray, gap: float, carry: float = CARRY) -> Wish:
    """To a position from above: up, across, and down onto it."""
    aside = float(np.hypot(*(goal - hand.position)[:2]))
    if aside < 0.008:
        return Wish(goal, gap)
    if hand.position[2] < carry - 0.02 and aside > 0.02:
        return Wish(np.array([*hand.position[:2], carry]), gap)
    # Once above, the last millimetres go straight across.
    return Wish(np.array([*goal[:2], max(carry, goal[2])]), gap)


def pick(hand: Hand, thing: np.ndarray) -> Wish:
    """Over an object and down with open fingers, then close them."""
    offset = np.abs(thing - hand.position)
    if offset[:2].max() < 0.012 and offset[2] < 0.012:
        return Wish(thing, 0.0)
    return travel(hand, thing, 1.0)


def put(hand: Hand, thing: np.ndarray, goal: np.ndarray) -> Wish:
    """Bring an object that is held to where its centre belongs, from above."""
    return travel(hand, goal + hand.position - thing, 0.0)


def leave(hand: Hand) -> Wish:
    """Open the fingers, then go straight up."""
    height = CARRY if hand.opening > 0.072 else hand.position[2]
    return Wish(np.array([*hand.position[:2], height]), 1.0)


def place(hand: Hand, number: int, thing: np.ndarray, goal: np.ndarray, tolerance: float) -> Wish:
    """Pick an object up and put it down with its centre at a goal ``[3]``, within ``tolerance`` metres."""
    way = goal - thing
    if np.hypot(*way[:2]) < 0.7 * tolerance and abs(way[2]) < 0.006:
        return leave(hand)
    return put(hand, thing, goal) if hand.held[number] else pick(hand, thing)


def push(hand: Hand, number: int, thing: np.ndarray, goal: np.ndarray) -> Wish:
    """Push an object over the table: come down behind it, and follow it with closed fingers.

    Where the arm does not reach behind it, it is picked up and brought there instead.
    """
    way = (goal - thing)[:2]
    along = way / max(float(np.hypot(*way)), 1e-6)
    left = np.array([-along[1], along[0]])
    behind = thing[:2] - along * (HALF + 2 * CLEARANCE)
    if hand.held[number] or (behind < LOWEST[:2]).any() or (behind > HIGHEST[:2]).any():
        return place(hand, number, thing, np.array([*goal[:2], HALF]), CLEARANCE)
    seen = (thing - hand.position)[:2]
    ahead, aside = float(seen @ along), float(seen @ left)
    low = thing[2] + 0.004
    if ahead > 0.02 and abs(aside) < 0.012 and hand.position[2] < low + 0.02:
        # The more the object has drifted aside, the less ahead and the more aside, so that it stays before the hand.
        pace = 0.022 * (1.0 - 0.7 * abs(aside) / 0.012)
        return Wish(np.array([*(hand.position[:2] + pace * along + 4.0 * aside * left), low]), 0.0)
    return travel(hand, np.array([*behind, low]), 0.0, carry=0.11)
