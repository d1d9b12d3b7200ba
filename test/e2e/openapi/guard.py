"""Keeps the session of the run alive: a request about its own user or token is made about one that does not exist."""

import json
import os

import schemathesis

OWN = frozenset(json.loads(os.environ["PLANE_OWN_IDS"]))


@schemathesis.hook
def before_call(context, case, kwargs):
    for name, value in (case.path_parameters or {}).items():
        if value in OWN:
            # `u-` or `t-`, and as many letters as an id has.
            case.path_parameters[name] = value[:2] + "a" * (len(value) - 2)
