"""Starts a Python function inside its sandbox; the platform never imports this file.

There are two ways in. Run as `python3.X -S bootstrap.py`, AWS's runtime client does everything,
unchanged. A process that was forked from a zygote (see `zygote.py`) calls `preload` before the
fork and `serve` after it.

`-S`: without `site`, nothing of the host's own packages or .pth files is seen and the start is
faster. What `site` would have given is restored here, and the module search path gets AWS's order.

Works on Python 3.8 and later, inside and outside a sandbox.
"""

import gc

gc.disable()  # Nothing made while starting is garbage.

import builtins
import os
import sys

RUNTIME = os.path.dirname(os.path.abspath(__file__))
VERSION = "{}.{}".format(*sys.version_info[:2])


def search_path(path, task_root, layers, version):
    """`sys.path` in AWS's order: function, layers, runtime, standard library.

    `path` is what the interpreter began with: this file's directory, PYTHONPATH, the standard
    library.
    """
    packages = f"{layers}/lib/python{version}/site-packages"
    return list(dict.fromkeys([task_root, packages, layers, *path]))


def add_site_builtins():
    """`exit`, `quit`, `copyright`, `credits`, `license` and `help`, which `site` adds."""
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
    sys.path[:] = search_path(path, task_root, "/opt/python", VERSION)
    sys.dont_write_bytecode = True  # /var/task cannot be written.


def preload():
    """Import what every function's process needs; gives the standard library's search path."""
    add_site_builtins()
    from awslambdaric import __main__, bootstrap  # noqa: F401

    # What a function may bring in a version of its own must be found anew.
    for name in list(sys.modules):
        if name.split(".")[0] in ("simplejson", "six", "bootstrap"):
            del sys.modules[name]
    return [path for path in sys.path if path != RUNTIME]


def serve(standard_library):
    """Become the function whose environment variables and code are in place. Never returns."""
    from awslambdaric import __main__, bootstrap

    added = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    prepare([RUNTIME, *added, *standard_library])
    sys.argv[:] = [f"{RUNTIME}/bootstrap.py"]
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON" or "AWS_LAMBDA_LOG_LEVEL" in os.environ:
        # The client reads these when it is imported.
        import importlib

        importlib.reload(bootstrap)
    gc.enable()
    __main__.main(["bootstrap", os.environ.get("_HANDLER", "")])


def main():
    """Hand over to the runtime client, which does not come back."""
    prepare(sys.path)
    add_site_builtins()
    from awslambdaric.__main__ import main as serve_as_aws_does

    gc.enable()
    serve_as_aws_does(["bootstrap", os.environ.get("_HANDLER", "")])


if __name__ == "__main__":
    main()
