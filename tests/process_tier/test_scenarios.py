"""What works as in every tier: the scenarios themselves, on platforms in the tier `process`.

Scenarios that depend on the paths, addresses and namespaces of a box are left out.
"""

from tests.scenario.test_async import test_events_are_delivered
from tests.scenario.test_bootstraps import test_a_bootstrap_that_is_not_executed
from tests.scenario.test_extensions import (
    deploy_with,
    test_an_extension_gets_every_event,
    test_extensions_that_fail,
    test_internal_extensions,
    test_why_it_ends,
    test_wrapper_script_from_a_layer,
)
from tests.scenario.test_invoke import (
    echo,
    test_an_environment_is_reused,
    test_an_os_only_function,
    test_concurrent_calls_get_environments_of_their_own,
    test_idle_environments_are_frozen,
    test_new_code_is_used_at_once,
    test_node_esm_and_commonjs,
    test_the_answer_comes_back_with_aws_headers,
    test_the_log_is_in_cloudwatch,
    test_the_log_tail_is_start_to_report,
    test_the_sdk_inside_a_function_reaches_the_platform,
)
from tests.scenario.test_layers_in_functions import (
    test_changes_of_layers,
    test_languages_find_their_modules,
)
from tests.scenario.test_streaming import (
    custom,
    streams,
    test_a_custom_runtime_streams,
    test_chunks_come_as_they_are_written,
    test_urls_stream,
)

SORTS = ("users",)
__all__ = [
    "SORTS",
    "custom",
    "deploy_with",
    "echo",
    "streams",
    "test_a_bootstrap_that_is_not_executed",
    "test_a_custom_runtime_streams",
    "test_an_environment_is_reused",
    "test_an_extension_gets_every_event",
    "test_an_os_only_function",
    "test_changes_of_layers",
    "test_chunks_come_as_they_are_written",
    "test_concurrent_calls_get_environments_of_their_own",
    "test_events_are_delivered",
    "test_extensions_that_fail",
    "test_idle_environments_are_frozen",
    "test_internal_extensions",
    "test_languages_find_their_modules",
    "test_new_code_is_used_at_once",
    "test_node_esm_and_commonjs",
    "test_the_answer_comes_back_with_aws_headers",
    "test_the_log_is_in_cloudwatch",
    "test_the_log_tail_is_start_to_report",
    "test_the_sdk_inside_a_function_reaches_the_platform",
    "test_urls_stream",
    "test_why_it_ends",
    "test_wrapper_script_from_a_layer",
]
