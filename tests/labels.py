"""What a dataset lacks of what CF asks for, so that whoever opens it knows what its numbers are."""


def lacking(data):
    """The variables and coordinates without a name to show or, if they are numbers, a unit; and what is missing of the whole."""
    found = [str(name) for name, one in data.variables.items() if not str(one.attrs.get("long_name", "")).strip()]
    found += [f"{name}: units" for name, one in data.variables.items() if one.dtype.kind in "iufb" and not one.attrs.get("units")]
    return found + [key for key in ("Conventions", "source") if key not in data.attrs]
