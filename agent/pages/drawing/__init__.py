"""Draws charts as SVG, so that they can be read without a script; colours come from the page's style sheet.

No `style` attribute is written, because the pages' Content-Security-Policy would refuse it.
"""
