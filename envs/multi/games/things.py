"""Everyday things and what is true of them, for games of guessing."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...splits import Splits

_TRUE_OF = """
animal: cat dog horse cow pig sheep mouse lion elephant monkey bat whale shark goldfish eagle \
penguin chicken duck frog snake turtle bee spider ant butterfly
mammal: cat dog horse cow pig sheep mouse lion elephant monkey bat whale
bird: eagle penguin chicken duck
fish: shark goldfish
insect: bee ant butterfly
reptile: snake turtle
pet: cat dog mouse goldfish turtle
farm: horse cow pig sheep chicken duck dog bee
wild: lion elephant monkey bat whale shark eagle penguin frog snake spider
flying: bat eagle duck bee butterfly plane
swimming: whale shark goldfish penguin duck frog turtle boat
fur: cat dog horse cow sheep mouse lion monkey bat
hunter: cat lion eagle shark snake spider bat
eggs: eagle penguin chicken duck frog snake turtle
large: horse cow lion elephant whale shark car train boat plane piano bed tree river mountain sun moon
small: mouse bee spider ant butterfly goldfish frog pencil cherry
food: apple banana carrot potato bread cheese rice cherry
fruit: apple banana cherry
sweet: apple banana cherry
round: apple ball clock sun moon cherry potato
plant: apple banana carrot potato rice cherry tree rose grass cactus
tall: tree mountain
sharp: knife cactus rose
vehicle: car bicycle train boat plane
wheels: car bicycle train plane
engine: car train boat plane
furniture: chair bed lamp piano
tool: hammer knife pencil
music: piano guitar drum
strings: piano guitar
wooden: chair bed pencil piano guitar drum tree
metal: car bicycle train plane hammer knife
electric: lamp train
home: chair bed lamp clock book pencil knife hammer cat dog
paper: book
time: clock sun moon
sky: sun moon plane eagle bat butterfly
water: whale shark goldfish penguin duck frog turtle boat river rice
green: frog turtle grass cactus apple snake
yellow: banana cheese bee sun chicken
red: rose cherry apple
white: sheep rice moon
hot: sun lamp
game: ball
legless: whale shark goldfish snake
striped: bee
jumping: frog cat horse monkey
trunk: elephant tree
rails: train
writing: pencil
farmed: cow pig sheep chicken carrot potato rice
pink: pig
bark: dog tree
milk: cow cheese sheep
climbing: cat monkey spider ant
grain: bread rice
stone: mountain
underground: carrot potato ant
antarctic: penguin
"""

TRUE_OF: dict[str, frozenset[str]] = {
    name: frozenset(things.split())
    for name, _, things in (line.partition(":") for line in _TRUE_OF.split("\n") if line)
}
"""The things that each property is true of."""
THINGS: tuple[str, ...] = tuple(sorted(frozenset().union(*TRUE_OF.values())))
PROPERTIES: tuple[str, ...] = tuple(TRUE_OF)


@lru_cache(maxsize=1)
def secrets() -> Splits[str]:
    """The things to be guessed, ten each for validation and test."""
    chosen = [THINGS[index] for index in np.random.default_rng(20).permutation(len(THINGS))]
    return Splits(train=chosen[20:], validation=chosen[:10], test=chosen[10:20])


def fits(thing: str, facts: dict[str, bool]) -> bool:
    """Whether all of these properties are true, or not true, of a thing."""
    return all((thing in TRUE_OF[name]) == true for name, true in facts.items())
