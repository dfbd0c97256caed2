"""The figure of each experiment: ``draw(result)`` in a file of its name."""
