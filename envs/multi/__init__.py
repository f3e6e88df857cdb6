"""Games for several agents: PettingZoo environments, their single-agent forms, and exact yardsticks."""
