"""Templates of a person's own: the skeleton, the check, and folders of other systems adapted."""
