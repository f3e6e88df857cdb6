"""``MiniWoB/<task>-v0``: the pages of MiniWoB++ (Liu et al. 2018, https://arxiv.org/abs/1802.08802)."""
