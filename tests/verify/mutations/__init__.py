"""A catalogue of realistic bugs, each to be caught through a public function with its defect named, and correct twins that must pass."""
