"""The models that earlier versions of the package had in the place of today's."""

FORMER = ("all-MiniLM-L6-v2-int8:c76762e16a53",)
"""Identities of the embedders that were bundled before. They are not to be had any more, so what
they embedded is embedded again by itself. Who changes the bundled model adds the identity that it
replaces; one that is not here, such as that of a later version, is left alone."""
