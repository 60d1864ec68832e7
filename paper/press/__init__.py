"""The printed paper: LaTeX, tables, appendix, the compile, and the pages as they came out."""
