"""Compiles a function's modules, inside a sandbox and without running any of them.

Run as `python3.X -S compiler.py`; the platform never imports this file. The compiled code goes to
the descriptor that LAMBENT_OUTPUT_FD names, file by file: length of the path and of the content,
each four bytes big-endian, the path below the function's directory, the content. An empty path is
the end. Bytecode is never compared with its source: a package does not change.

Works on Python 3.8 and later.
"""

import os
import py_compile
import struct
import sys

SOURCE_BYTES_MAX = 4 * 1024 * 1024


def main():
    root = os.environ["LAMBDA_TASK_ROOT"]
    compiled = os.path.join(os.environ.get("TMPDIR", "/tmp"), "compiled.pyc")
    with os.fdopen(int(os.environ["LAMBENT_OUTPUT_FD"]), "wb") as output:
        for directory, _, names in os.walk(root):
            for name in names:
                path = os.path.join(directory, name)
                if not name.endswith(".py") or os.path.getsize(path) > SOURCE_BYTES_MAX:
                    continue
                try:
                    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
                    py_compile.compile(path, compiled, doraise=True, invalidation_mode=mode)
                except (
                    py_compile.PyCompileError,
                    OSError,
                    ValueError,
                    RecursionError,
                    MemoryError,
                ):
                    continue  # The import reports the error.
                with open(compiled, "rb") as file:
                    write(output, os.path.relpath(path, root), file.read())
        write(output, "", b"")


def write(output, path, content):
    encoded = os.fsencode(path)
    output.write(struct.pack(">II", len(encoded), len(content)) + encoded + content)


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    main()
