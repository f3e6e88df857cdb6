"""Web pages as environments: a Chromium under a clock of the environment's own."""
