"""Games of two robots in one MuJoCo scene, as PettingZoo environments; see :func:`palestra.make_multi`."""
