"""Cleanup by reviewed rules, run inside builder stages: remove, strip, compile, prove.

It lives in the base images' build context, so that the plain `docker build` of a
base image has it too. Needs PyYAML and pyelftools, and nothing of the host's.
"""
