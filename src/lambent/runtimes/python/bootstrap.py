"""Starts a Python function inside its sandbox; the platform never imports this file.

Run as `python3.X -S bootstrap.py`: without `site`, nothing of the host's own packages or .pth
files is seen and the start is faster. What `site` would have given is restored here, the module
search path gets AWS's order, and AWS's runtime client does the rest, unchanged.

Works on Python 3.8 and later, inside and outside a sandbox.
"""

import gc

gc.disable()  # Nothing made while starting is garbage.

import builtins
import os
import sys


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


def main():
    """Hand over to the runtime client, which does not come back."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    task_root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    sys.path[:] = search_path(sys.path, task_root, "/opt/python", version)
    sys.dont_write_bytecode = True  # /var/task cannot be written.
    add_site_builtins()
    from awslambdaric.__main__ import main as serve

    gc.enable()
    serve(["bootstrap", os.environ.get("_HANDLER", "")])


if __name__ == "__main__":
    main()
