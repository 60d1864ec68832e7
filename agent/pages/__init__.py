"""Pages for a browser: one file of a session, or all sessions live on this machine.

`reading` gathers a session through the readers that the rest of the program uses. `views` turns it into plain data,
`drawing` draws charts, `rendering` fills the HTML of `templates`, and `serving` answers a browser.
"""
