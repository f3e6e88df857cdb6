"""Reward programs: rewards that a model writes as code, and the searches for good ones."""
