"""What contains untrusted things: the lowest floor of the package."""
