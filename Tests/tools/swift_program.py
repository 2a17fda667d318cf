"""Builds a program of one file with the Kafka library.

It is linked to what the release build of forktail left, for building a package of its own anew would
take minutes.
"""

import shlex
import subprocess

import kit

# What the release build is linked to.
LIBRARIES = ["-llz4", "-lzstd", "-lz", "-lsqlite3", "-lpcre2-8", "-lstdc++"]


def build(source, folder):
    """The program that a source file becomes, in a folder."""
    built = kit.FORKTAIL.resolve().parent
    # Of everything that is linked into forktail, all but its own commands.
    listed = shlex.split((built / "forktail.product" / "Objects.LinkFileList").read_text())
    objects = folder / f"{source.stem}.objects"
    objects.write_text(
        "".join(f"{shlex.quote(part)}\n" for part in listed if "/forktail.build/" not in part)
    )
    modules = [
        *built.glob("*.build/module.modulemap"),
        *(kit.ROOT / "Sources").glob("*/module.modulemap"),
        *(kit.ROOT / ".build" / "checkouts").glob("*/Sources/*/include/module.modulemap"),
    ]
    program = folder / source.stem
    command = [
        *("swiftc", "-parse-as-library", "-swift-version", "6", "-o", program, source),
        *("-I", built / "Modules", *LIBRARIES, f"@{objects}"),
        *(part for module in modules for part in ("-Xcc", f"-fmodule-map-file={module}")),
    ]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode != 0:
        raise kit.Failure(result.stderr[-3000:])
    return program
