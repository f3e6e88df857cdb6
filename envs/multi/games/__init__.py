"""The games, one module each; :mod:`palestra.envs.multi.registry` names them."""
