"""What reviewers are shown, how their findings are checked, and the pages that keep them."""
