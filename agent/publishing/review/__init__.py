"""What reviewers and the judge are shown, how they are asked, and the files of review/."""
