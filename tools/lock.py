"""Prints the versions of everything Lambent needs for development, as installed in this venv.

`make lock` writes them to requirements/dev.lock, which constrains what `make setup` installs.
"""

from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(name: str, extras: frozenset[str], found: dict[str, str]) -> None:
    """Add `name` and everything it requires here to `found`, name → version."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return  # required on other systems or Pythons only
    found[canonicalize_name(name)] = package.version
    for text in package.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            continue
        key = canonicalize_name(requirement.name)
        if key not in found or requirement.extras:
            if (key, frozenset(requirement.extras)) in seen:
                continue
            seen.add((key, frozenset(requirement.extras)))
            closure(requirement.name, frozenset(requirement.extras), found)


seen: set[tuple[str, frozenset[str]]] = set()
versions: dict[str, str] = {}
closure("lambent", frozenset({"dev"}), versions)
del versions["lambent"]
print("# Written by `make lock`; versions the project is tested with.")
for name, version in sorted(versions.items()):
    print(f"{name}=={version}")
