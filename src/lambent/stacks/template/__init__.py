"""From the text of a template to the properties of its resources. Pure."""
