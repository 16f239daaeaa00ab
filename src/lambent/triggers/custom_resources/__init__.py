"""Where custom resources report the result of their work.

A custom resource gets a link in its request. It puts a JSON document to the link, as if that were
an object in a bucket of CloudFormation's. The link is all that it needs: it is signed, it expires,
and it says what the document belongs to.
"""
