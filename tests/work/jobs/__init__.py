"""Ordinary work of trains: each public function of these modules is one job.

A job raises an error if something does not work. All of this is part of a train, so it imports
nothing of this repository.
"""
