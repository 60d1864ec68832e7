"""How a sentence reads: which branch of a choice prints, what its expressions print, and which numbers are typed."""
