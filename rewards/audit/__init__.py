"""Questions to a reward before anything is trained on it: how far it is from another, and how it can be cheated."""
