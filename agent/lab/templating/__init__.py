"""A person's own templates: new ones, the check of a template, repositories, and folders of other systems."""
