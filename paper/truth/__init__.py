"""May this sentence be printed? Every check of what a section says."""
