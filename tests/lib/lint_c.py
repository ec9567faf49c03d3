# SPDX-License-Identifier: Apache-2.0
"""Rules of tests/lint for C.  Each returns (files seen, faults)."""
import re

FORBIDDEN = {
    "strcpy": "snprintf or memcpy", "strcat": "snprintf", "sprintf": "snprintf", "vsprintf": "vsnprintf",
    "strncpy": "memcpy with a checked length", "gets": "fgets", "rand": "crypto/rand", "srand": "nothing",
    "random": "crypto/rand", "drand48": "crypto/rand", "atoi": "strtol with checks",
    "atol": "strtol with checks", "atof": "strtod with checks", "strtok": "strcspn", "tmpnam": "mkstemp",
    "mktemp": "mkstemp", "alloca": "malloc", "system": "posix_spawn", "popen": "posix_spawn",
}
FORBIDDEN_CALL = re.compile(r"(?<![\w.>])(" + "|".join(FORBIDDEN) + r")\s*\(")
# Names of things whose comparison must not leak where they differ.
SECRET_WORDS = re.compile(
    r"secret|passphrase|password|pepper|seed|share|priv|\bkek|\bcek|\bmek|(day|slot|hedge|body|meta)_key\b|"
    r"\bkid\b|\bcid\b|\bmkid\b|commit|\btag\b|\bmac\b|\bhmac\b|totp|token", re.IGNORECASE)
PUBLIC = "/* public"
MAY_INCLUDE = {
    "common": {"common", "proto"},
    "models": {"models", "common", "proto"},
    "server": {"server", "models", "common", "proto"},
    "client": {"client", "models", "common", "proto"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
FUNCTION = re.compile(r"^(?:[a-zA-Z_][^;{}=#]*?\b)([a-z_][a-z0-9_]*)\s*\(([^;{}]*)\)\s*\n\{\n(.*?)^\}",
                      re.DOTALL | re.MULTILINE)
MAX_FUNCTION = 100
# Functions whose name says it all.
PLAIN_NAME = re.compile(r"_(free|new|equal|len)$")


def own_code(tree):
    """C files of the product; tests may do what they like with memory that holds no secret."""
    return [file for file in tree.c_files() if file.name.split("/")[0] in MAY_INCLUDE]


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def forbidden(tree):
    files = tree.c_files()
    faults = []
    for file in files:
        code = file.code()
        for found in FORBIDDEN_CALL.finditer(code):
            name = found.group(1)
            if name in ("system", "popen") and file.name.startswith("tests/"):
                continue
            faults.append(file.fault(line_of(code, found.start()), f"{name}: use {FORBIDDEN[name]}"))
    return len(files), faults


def memcmp(tree):
    files = own_code(tree)
    faults = []
    for file in files:
        code, lines = file.code(), file.lines
        for found in re.finditer(r"\bmemcmp\s*\(([^;{]*)", code):
            number = line_of(code, found.start())
            if SECRET_WORDS.search(found.group(1)) and PUBLIC not in "".join(lines[max(0, number - 2):number]):
                faults.append(file.fault(number, "memcmp on what may be secret: secret_equal(), "
                                                 f"or say why not with `{PUBLIC} ... */`"))
    return len(files), faults


def structs_with_secrets(files):
    names = set()
    for file in files:
        for found in re.finditer(r"\bstruct\s+(\w+)\s*\{(.*?)\n\}", file.code(), re.DOTALL):
            if re.search(r"\bstruct\s+secret\s+\w", found.group(2)):
                names.add(found.group(1))
    return names


def free(tree):
    files = own_code(tree)
    names = structs_with_secrets(files) - {"secret"}
    faults = []
    for file in files:
        code = file.code()
        for function in FUNCTION.finditer(code):
            text = function.group(0)
            for found in re.finditer(r"(?<!\w)free\((\w+)\)", text):
                variable = re.escape(found.group(1))
                kind = re.search(r"\bstruct\s+(\w+)\s*\*\s*" + variable + r"\b", text)
                begun = re.search(rf"\b{variable} = (c|m)alloc\(", text)  # freed before it held anything
                if kind and kind.group(1) in names and "secret_" not in text[:found.start()] and not begun:
                    faults.append(file.fault(line_of(code, function.start() + found.start()),
                                             f"struct {kind.group(1)} holds a secret and is freed unwiped"))
    return len(files), faults


def public_header(file, path):
    """The public headers include each other as they stand when installed."""
    return file.name.startswith("client/satchel") and file.name.endswith(".h") and \
        (path.startswith("satchel/") or "/" not in path)


def direction(tree):
    files = own_code(tree)
    faults = []
    for file in files:
        allowed = MAY_INCLUDE[file.name.split("/")[0]]
        for number, line in enumerate(file.lines, 1):
            found = INCLUDE.match(line)
            if found is None:
                continue
            top = found.group(2).split("/")[0]
            if top in MAY_INCLUDE.keys() | {"tests"} and top not in allowed:
                faults.append(file.fault(number, f"must not include from {top}/"))
            elif found.group(1) == '"' and top not in allowed and not public_header(file, found.group(2)):
                faults.append(file.fault(number, "include paths are from the root"))
    return len(files), faults


def without_bodies(code):
    """The text with everything between braces, and macros, blanked out."""
    code = re.sub(r"^[ ]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code,
                  flags=re.MULTILINE)
    code = re.sub(r'extern\s+"C"\s*\{', lambda m: " " * len(m.group(0)), code)
    result, depth = [], 0
    for char in code:
        depth -= char == "}" and depth > 0
        result.append(char if depth == 0 or char == "\n" else " ")
        depth += char == "{"
    return "".join(result)


def prototypes(file):
    """(line number, name, the rest of the prototype, whether a comment goes with it) of each one in a header."""
    documented_here = False
    code = without_bodies(file.code()).split("\n")
    for number, (line, plain) in enumerate(zip(file.lines, code), 1):
        if line.strip() == "":
            documented_here = False
        documented_here = documented_here or "/*" in line or line.lstrip().startswith("*")
        found = re.match(r"([A-Za-z_][\w\s*]*?)\b(\w+)\s*\(([^)].*)", plain)
        if found and not plain.startswith(("typedef", "static", "_Static_assert")):
            yield number, found.group(2), found.group(1) + found.group(3), documented_here


def documented(tree):
    """Inline functions show what they do; a family of one signature is described at the top of its header."""
    files = [file for file in tree.ending(".h") if not file.name.startswith("tests/")]
    faults = []
    for file in files:
        found = list(prototypes(file))
        family = len(found) > 2 and len({signature for _, _, signature, _ in found}) == 1
        faults += [file.fault(number, f"{name} is not documented") for number, name, _, good in found
                   if not good and not family and not PLAIN_NAME.search(name)]
    return len(files), faults


def functions(tree):
    files = tree.c_files()
    faults = []
    for file in files:
        code = file.code()
        for found in FUNCTION.finditer(code):
            lines = found.group(3).count("\n")
            if lines > MAX_FUNCTION:
                faults.append(file.fault(line_of(code, found.start()), f"{found.group(1)} has {lines} lines"))
    return len(files), faults
