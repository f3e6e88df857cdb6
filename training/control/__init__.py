"""Continuous control: PPO and SAC on vector environments, from demonstrations and on learned rewards too."""
