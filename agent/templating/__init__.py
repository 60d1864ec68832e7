"""Templates of one's own: a skeleton to start from, a check of what it promises, other systems' folders."""
