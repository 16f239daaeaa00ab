"""Starts a Python function inside its sandbox; the platform never imports this file.

There are two ways in. Run as `python3.X -S bootstrap.py`, AWS's runtime client does everything,
unchanged. A process that was forked from a zygote (see `zygote.py`) calls `preload` before the fork
and `serve` after it.

`-S`: without `site`, the process does not see the host's own packages and .pth files, and starts
faster. This file restores what `site` would have added, and sets AWS's module search path.

Works on Python 3.8 and later, inside and outside a sandbox.
"""

import gc

gc.disable()  # Objects created at startup are not garbage.

import builtins
import importlib
import os
import sys

NOT_TO_BE_REPLACED = {name.partition(".")[0] for name in sys.modules} - {"bootstrap"}
"""The modules that are loaded before any search path counts."""
PRELOADED = (
    "base64",
    "collections",
    "copy",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "logging",
    "math",
    "os",
    "pathlib",
    "random",
    "re",
    "string",
    "tempfile",
    "threading",
    "time",
    "traceback",
    "typing",
    "urllib.parse",
    "uuid",
)
"""What many functions import: all of the standard library."""
LOADED = {}
"""Names of the modules that are loaded before a function is known, by their first part."""
OUR_MODULES = ("assignment", "bootstrap", "channel", "checkpoint", "warm_up", "zygote")
RUNTIME = os.path.dirname(os.path.abspath(__file__))
ROOT = RUNTIME[: -len("/var/runtime")] if RUNTIME.endswith("/var/runtime") else ""
"""Prefix of the paths of a sandbox; not empty only without namespaces."""
BYTECODE = f"{ROOT}/var/pycache"
VERSION = "{}.{}".format(*sys.version_info[:2])


def search_path(path, task_root, layers, version):
    """Return `sys.path` in AWS's order: function, layers, runtime, standard library.

    `path` is the interpreter's initial path: this file's directory, PYTHONPATH, the standard
    library.
    """
    packages = f"{layers}/lib/python{version}/site-packages"
    return list(dict.fromkeys([task_root, packages, layers, *path]))


def add_site_builtins():
    """Add `exit`, `quit`, `copyright`, `credits`, `license` and `help`, as `site` does."""
    import _sitebuiltins

    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    builtins.copyright = _sitebuiltins._Printer("copyright", sys.copyright)
    builtins.credits = _sitebuiltins._Printer("credits", "See www.python.org for more.")
    builtins.license = _sitebuiltins._Printer("license", "See https://www.python.org/psf/license/")
    builtins.help = _sitebuiltins._Helper()


def prepare(path):
    """What both ways have in common, in the function's environment."""
    task_root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    sys.path[:] = search_path(path, task_root, f"{ROOT}/opt/python", VERSION)
    use_bytecode(task_root)
    sys.dont_write_bytecode = True  # /var/task is read-only.


def use_bytecode(task_root):
    """Import the function's modules from the bytecode that was compiled at deployment."""
    if not os.path.isdir(BYTECODE) or not os.listdir(BYTECODE):
        return
    from importlib import machinery, util
    from marshal import loads

    class Compiled(machinery.SourceFileLoader):
        """A module in the function's directory."""

        def get_code(self, fullname):
            path = f"{BYTECODE}{self.get_filename(fullname)[len(task_root) :]}c"
            try:
                with open(path, "rb") as file:
                    data = file.read()
                if data[:4] == util.MAGIC_NUMBER:
                    return loads(data[16:])
            except (OSError, ValueError, EOFError, TypeError):
                pass
            return super().get_code(fullname)

    find = machinery.FileFinder.path_hook(
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (Compiled, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )

    def hook(path):
        if path == task_root or path.startswith(f"{task_root}/"):
            return find(path)
        raise ImportError("not in the function's directory")

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


def preload():
    """Import what every function's process needs; returns the standard library's search path."""
    add_site_builtins()
    import_all(PRELOADED)
    from awslambdaric import __main__, bootstrap  # noqa: F401

    import channel  # noqa: F401

    warm_up()
    for name in sys.modules:
        LOADED.setdefault(name.partition(".")[0], []).append(name)
    return [path for path in sys.path if path != RUNTIME]


def import_all(names):
    """Import modules by name, if this Python has them."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            pass


def warm_up():
    """Serve an artificial event: see `warm_up.py`."""
    from warm_up import warm_up as rehearse_with

    rehearse_with(serve_with)


def serve_with(handler, client):
    """Return AWS's runtime client, with a class for its connection."""
    from awslambdaric import __main__, bootstrap

    # One or the other creates it, depending on the version.
    bootstrap.LambdaRuntimeClient = __main__.LambdaRuntimeClient = client
    __main__.main(["bootstrap", handler])


def serve(standard_library):
    """Become the function whose environment variables and code are in place. Never returns."""
    from channel import Channel

    added = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    prepare([RUNTIME, *added, *standard_library])
    brought = forget_what_the_function_brings()
    sys.argv[:] = [f"{RUNTIME}/bootstrap.py"]
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON" or "AWS_LAMBDA_LOG_LEVEL" in os.environ:
        # The client reads these when it is imported.
        from awslambdaric import bootstrap

        importlib.reload(bootstrap)
    gc.enable()
    if "awslambdaric" in brought:
        from awslambdaric.__main__ import main as serve_as_brought

        serve_as_brought(["bootstrap", os.environ.get("_HANDLER", "")])
    else:
        serve_with(os.environ.get("_HANDLER", ""), Channel)


def forget_what_the_function_brings():
    """Forget modules of which the function has its own version, and Lambent's own, so that they are
    imported again.

    Returns their names.
    """
    brought = {"simplejson", "six", *OUR_MODULES}
    for directory in sys.path[: sys.path.index(RUNTIME)]:
        try:
            brought.update(name.partition(".")[0] for name in os.listdir(directory))
        except OSError:
            pass
    brought -= NOT_TO_BE_REPLACED
    for first in brought:
        for name in LOADED.get(first, ()):
            sys.modules.pop(name, None)
    return brought


def wait_for_debugger():
    """Wait until a debugger is attached, if the call is debugged. debugpy is in a layer."""
    port = os.environ.pop("_LAMBENT_DEBUG_PORT", None)
    if port is None:
        return
    import debugpy

    debugpy.configure(python=sys.executable)
    debugpy.listen(("127.0.0.1", int(port)))
    debugpy.wait_for_client()


def main():
    """Start the runtime client, which does not return."""
    prepare(sys.path)
    add_site_builtins()
    wait_for_debugger()
    from awslambdaric.__main__ import main as serve_as_aws_does

    gc.enable()
    serve_as_aws_does(["bootstrap", os.environ.get("_HANDLER", "")])


if __name__ == "__main__":
    main()
