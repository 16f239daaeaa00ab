"""Function versions as the store would give them."""

from lambent.model.function import LATEST, FunctionKey, FunctionVersion, LoggingConfiguration


def version_of(name: str, version: str = LATEST, account: str = "0" * 12) -> FunctionVersion:
    """A deployed version; its configuration is named after it."""
    return FunctionVersion(
        key=FunctionKey(account, "us-east-1", name),
        version=version,
        role="r",
        runtime="python3.12",
        handler="a.b",
        logging=LoggingConfiguration(log_group="g"),
        code_key="0" * 64,
        code_size=1,
        configuration_id=f"{account}/{name}/{version}",
        revision_id="1",
        last_modified_ms=0,
    )
