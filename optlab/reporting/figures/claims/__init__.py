"""The figure of each claim: ``draw(data)`` in a file of its name."""
