"""What networks are made of beside norms, as expressions: the rectifier, the losses, the start of the weights."""
