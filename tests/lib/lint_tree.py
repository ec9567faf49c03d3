# SPDX-License-Identifier: Apache-2.0
"""The files that the rules of tests/lint look at."""
import os
import re

LEFT_OUT = {"build", ".git", "__pycache__", ".cache", ".vscode", ".idea"}
COMMENT_OR_STRING = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", re.DOTALL)


class Skip(Exception):
    """The rule cannot run here."""


class File:
    def __init__(self, root, path):
        self.path = path
        self.name = str(path.relative_to(root))
        self._text = None

    @property
    def text(self):
        if self._text is None:
            self._text = self.path.read_bytes().decode("utf-8", "replace")
        return self._text

    @property
    def lines(self):
        return self.text.split("\n")

    def code(self):
        """The text with comments and literals blanked out; lines keep their numbers."""
        def blank(match):
            found = match.group(0)
            if found[0] in "\"'":
                return found[0] + " " * (len(found) - 2) + found[0]
            return re.sub(r"[^\n]", " ", found)
        return COMMENT_OR_STRING.sub(blank, self.text)

    def fault(self, line, text):
        return f"{self.name}:{line}: {text}"


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = []
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(set(folders) - LEFT_OUT)
            for name in sorted(names):
                path = root.__class__(folder) / name
                if path.is_file() and not path.is_symlink() and name != ".git":
                    self.files.append(File(root, path))

    def ending(self, *endings):
        return [file for file in self.files if file.name.endswith(endings)]

    def c_files(self):
        return self.ending(".c", ".h")

    def scripts(self, interpreter):
        """Files whose first line names the interpreter."""
        found = []
        for file in self.files:
            with open(file.path, "rb") as stream:
                first = stream.readline(100)
            if first.startswith(b"#!") and interpreter.encode() in first:
                found.append(file)
        return found
