"""One question per file: specs in, labelled results out."""
