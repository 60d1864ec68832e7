"""What reviewers are shown, how their findings are checked, and the pages of review/."""
