"""A hostile train: named attempts to obtain the station's key or to change what is signed.

It uses only the standard library, since it runs in every image, and imports its modules relatively,
since the tests read the list of attempts from it too.
"""
