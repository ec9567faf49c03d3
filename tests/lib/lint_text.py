# SPDX-License-Identifier: Apache-2.0
"""Rules of tests/lint for any text.  Each returns (files seen, faults)."""
import re
import shutil
import subprocess

from lint_tree import Skip

FORMAT_VERSION = 14
SPDX = "SPDX-License-Identifier: Apache-2.0"
SPDX_ENDINGS = (".c", ".h", ".py", ".sh", ".proto", ".cmake", "CMakeLists.txt", ".service", ".socket", ".fish",
                ".bash")
TEXT_ENDINGS = SPDX_ENDINGS + (".md", ".json", ".txt", ".in", ".1", ".5", ".7", ".8", ".conf")
MAX_LINES, MAX_TEST_LINES = 600, 700
# Where an absolute path may point; anything else is somebody's own machine.
SYSTEM = ("usr", "etc", "var", "run", "dev", "proc", "sys", "tmp", "bin", "sbin", "lib", "srv", "nonexistent")
ABSOLUTE = re.compile(r"(?:^|(?<=[\s\"'`=(]))/([a-z][a-z0-9_]+)/[A-Za-z0-9_.-]+")
MERGE = re.compile(r"^(<{7}|>{7}|\|{7}) ")
TODO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\s*\(?(issue )?#\d+)")


def run(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout.splitlines()


def clang_format(tree):
    files = tree.c_files()
    if shutil.which("clang-format") is None:
        return len(files), ["clang-format is not installed"]
    _, version = run(["clang-format", "--version"])
    found = re.search(r"version (\d+)", version[0])
    if found is None or int(found.group(1)) != FORMAT_VERSION:
        raise Skip(f"needs clang-format {FORMAT_VERSION}: versions differ in taste")
    if not files:
        return 0, []
    code, lines = run(["clang-format", "--dry-run", "-Werror", *(str(file.path) for file in files)])
    faults = [line for line in lines if "error:" in line]
    return len(files), faults or (["clang-format failed"] + lines if code else [])


def spdx(tree):
    files = tree.ending(*SPDX_ENDINGS)
    files += [file for file in tree.scripts("bash") + tree.scripts("python3") if file not in files]
    return len(files), [file.fault(1, f"no line `{SPDX}` at the top")
                        for file in files if SPDX not in "\n".join(file.lines[:2])]


def whitespace(tree):
    files = tree.ending(*TEXT_ENDINGS)
    faults = []
    for file in files:
        for number, line in enumerate(file.lines, 1):
            if line != line.rstrip():
                faults.append(file.fault(number, "blanks at the end of the line"))
            if "\t" in line and file.name.endswith((".c", ".h", ".py", ".proto")):
                faults.append(file.fault(number, "tab"))
        if file.text and not file.text.endswith("\n"):
            faults.append(file.fault(len(file.lines), "no newline at the end"))
    return len(files), faults


def length(tree):
    files = tree.c_files()
    return len(files), [file.fault(1, f"{len(file.lines) - 1} lines") for file in files
                        if len(file.lines) - 1 > (MAX_TEST_LINES if file.name.startswith("tests/") else MAX_LINES)]


def shell(tree):
    files = tree.scripts("bash")
    files += [file for file in tree.ending(".sh") if file not in files]
    if shutil.which("shellcheck") is None:
        raise Skip("shellcheck is not installed")
    if not files:
        return 0, []
    code, lines = run(["shellcheck", "-x", "--source-path", str(tree.root), "-f", "gcc",
                       *(str(file.path) for file in files)])
    return len(files), lines if code else []


def python(tree):
    files = tree.ending(".py")
    files += [file for file in tree.scripts("python3") if file not in files]
    faults = []
    for file in files:
        try:
            compile(file.text, file.name, "exec", dont_inherit=True)
        except SyntaxError as error:
            faults.append(file.fault(error.lineno or 1, str(error)))
    return len(files), faults


def places(tree):
    files = [file for file in tree.ending(*TEXT_ENDINGS) + tree.scripts("bash")
             if "/vectors/" not in file.name and not file.name.startswith("tests/unit/")]
    faults = []
    for file in files:
        for number, line in enumerate(file.lines, 1):
            if MERGE.match(line):
                faults.append(file.fault(number, "left by a merge"))
            for found in ABSOLUTE.finditer(line):
                if found.group(1) not in SYSTEM:
                    faults.append(file.fault(number, f"a path of one machine: {found.group(0)}"))
    return len(files), faults


def todo(tree):
    files = [file for file in tree.c_files() + tree.ending(".py", ".sh") + tree.scripts("bash")
             if not file.name.startswith("tests/lib/lint_")]
    return len(files), [file.fault(number, "names no issue, as in `TODO #12`")
                        for file in files
                        for number, line in enumerate(file.lines, 1) if TODO.search(line)]
