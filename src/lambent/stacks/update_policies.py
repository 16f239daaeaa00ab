"""UpdatePolicy: how AWS replaces what runs. Here an alias of a function is changed at once."""

from typing import Any, Final

from lambent.stacks.sources import invalid

_ALIAS: Final = "AWS::Lambda::Alias"
_CODE_DEPLOY: Final = "CodeDeployLambdaAliasUpdate"
_MEMBERS: Final = frozenset({"ApplicationName", "DeploymentGroupName"})
_HOOKS: Final = frozenset({"AfterAllowTrafficHook", "BeforeAllowTrafficHook"})


def check_update_policy(logical_id: str, type: str, policy: Any) -> None:
    """Raises `ValidationError` for an UpdatePolicy that Lambent does not offer. That of an alias is
    accepted, whatever the deployment group says: all traffic goes to the new version at once."""
    if policy is None:
        return
    members = policy.get(_CODE_DEPLOY) if isinstance(policy, dict) else None
    if type != _ALIAS or not isinstance(members, dict) or len(policy) != 1:
        raise invalid(
            f"Lambent does not support the UpdatePolicy of {logical_id}: it offers {_CODE_DEPLOY}"
            f" of {_ALIAS}."
        )
    hooks = sorted(_HOOKS & members.keys())
    if hooks:
        raise invalid(
            f"Lambent does not support {hooks[0]}, which {logical_id} has: the alias is changed at"
            " once, without CodeDeploy."
        )
    if members.keys() - _MEMBERS:
        raise invalid(f"{_CODE_DEPLOY} of {logical_id} has members that it cannot have.")
