"""Pages for a browser: one file of a session, or all sessions live on this machine.

`reading` gathers a session through the readers that the rest of the program uses, `views` turns that into plain data,
`drawing` into charts, `templates` into HTML, and `serving` hands it out.
"""
