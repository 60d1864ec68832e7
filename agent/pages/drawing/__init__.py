"""Charts as SVG, made here so that they can be read without a script; colours come from the page's style sheet.

No `style` attribute is ever written: the pages' Content-Security-Policy would refuse it.
"""
