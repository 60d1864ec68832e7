"""From a gathered session to plain data for the templates. Pure: no disk, no clock, no HTML."""
