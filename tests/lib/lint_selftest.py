# SPDX-License-Identifier: Apache-2.0
"""Shows that each rule of tests/lint finds what it is for, and lets good text pass."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import lint_c  # noqa: E402
import lint_text  # noqa: E402
from lint_tree import Skip, Tree  # noqa: E402

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
# rule, file name, bad text, good text
CASES = [
    (lint_text.clang_format, "common/a.c", SPDX + "int  a;\n", SPDX + "int a;\n"),
    (lint_text.spdx, "common/a.c", "int a;\n", SPDX),
    (lint_text.whitespace, "common/a.c", SPDX + "int a; \n", SPDX + "int a;\n"),
    (lint_text.whitespace, "common/a.c", SPDX + "\tint a;\n", SPDX + "int a;\n"),
    (lint_text.whitespace, "README.md", "words", "words\n"),
    (lint_text.length, "common/a.c", "\n" * 601, "\n" * 600),
    (lint_text.shell, "x.sh", "#!/bin/bash\nrm $1\n", '#!/bin/bash\nrm -- "$1"\n'),
    (lint_text.python, "x.py", "if:\n", "pass\n"),
    (lint_text.places, "README.md", "see /ho" "me/bob/x\n", "see /usr/share/x, and/or\n"),
    (lint_text.places, "README.md", "<" * 7 + " HEAD\n", "ok\n"),
    (lint_text.todo, "a.c", "/* TO" + "DO: later */\n", "/* TO" + "DO #12: later */\n"),
    (lint_c.forbidden, "a.c", "int n = atoi(s);\n", 'int n = my_atoi(s); /* atoi() */ f("atoi(s)");\n'),
    (lint_c.memcmp, "common/a.c", "if (memcmp(a->share, share, 32)) {}\n", "if (memcmp(a->name, b, 32)) {}\n"),
    (lint_c.memcmp, "common/a.c", "x = memcmp(tag, t, 4);\n", "x = memcmp(tag, t, 4); /* public: a file's magic */\n"),
    (lint_c.free, "common/a.c",
     "struct v {\n    struct secret s;\n};\n\nvoid v_free(struct v *v)\n{\n    free(v);\n}\n",
     "struct v {\n    struct secret s;\n};\n\nvoid v_free(struct v *v)\n{\n    secret_free(&v->s);\n    free(v);\n}\n"),
    (lint_c.direction, "client/a.c", '#include "server/x.h"\n', '#include "common/x.h"\n'),
    (lint_c.direction, "common/a.c", "#include <models/x.h>\n", "#include <stdio.h>\n"),
    (lint_c.direction, "server/a.c", '#include "x.h"\n', '#include "server/x.h"\n'),
    (lint_c.documented, "common/a.h", "int f(int a);\n", "/* Doubles. */\nint f(int a);\n"),
    (lint_c.documented, "common/a.h", "/* Of a. */\nint f(int a);\n\nint g(int a);\n", "int f(int a); /* doubles */\n"),
    (lint_c.documented, "common/a.h", "int f(int a);\nint g(char c);\nint h(int a);\n",
     "int f(int a);\nint g(int a);\nint h(int a);\n\nstatic inline int i(int a)\n{\n    return a;\n}\n"),
    (lint_c.direction, "client/a.h", '#include "satchel/x.h"\n', '#include "client/satchel/x.h"\n'),
    (lint_c.functions, "common/a.c", "int f(void)\n{\n" + "    x();\n" * 101 + "}\n", "int f(void)\n{\n}\n"),
]


def faults(rule, name, text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        (pathlib.Path(folder) / ".clang-format").write_text("BasedOnStyle: LLVM\n")
        return rule(Tree(pathlib.Path(folder)))


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for rule, name, bad, good in CASES:
        try:
            found_bad = faults(rule, name, bad)[1] != []
            seen, found_good = faults(rule, name, good)
            result = "passed" if found_bad and seen == 1 and found_good == [] else "failed"
        except Skip:
            result = "skipped"
        counts[result] += 1
        if result == "failed":
            print(f"failed: {rule.__name__} on {name}: {bad!r} / {good!r}: {found_bad}, {found_good}")
    # A rule that sees no file must say so; tests/lint fails on it.
    with tempfile.TemporaryDirectory() as folder:
        empty = Tree(pathlib.Path(folder))
        for rule in {rule for rule, *_ in CASES}:
            try:
                result = "passed" if rule(empty)[0] == 0 else "failed"
            except Skip:
                result = "skipped"
            counts[result] += 1
    print(", ".join(f"{number} {word}" for word, number in counts.items()))
    return 1 if counts["failed"] else 0


sys.exit(main())
