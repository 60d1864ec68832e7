"""How a sentence reads: what its expressions print, what they measure, and which of its numbers are typed."""
