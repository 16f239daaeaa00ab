"""Scenarios in the tier `process` where all functions and the platform have the same user: those
that may behave differently from environments with separate users."""

from tests.scenario.test_extensions import (
    deploy_with,
    test_an_extension_gets_every_event,
    test_why_it_ends,
)
from tests.scenario.test_invoke import (
    test_concurrent_calls_get_environments_of_their_own,
    test_idle_environments_are_frozen,
    test_node_esm_and_commonjs,
)
from tests.scenario.test_layers_in_functions import test_languages_find_their_modules

SORTS = ("one-user",)
__all__ = [
    "SORTS",
    "deploy_with",
    "test_an_extension_gets_every_event",
    "test_concurrent_calls_get_environments_of_their_own",
    "test_idle_environments_are_frozen",
    "test_languages_find_their_modules",
    "test_node_esm_and_commonjs",
    "test_why_it_ends",
]
