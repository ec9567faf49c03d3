# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# suites - what each suite of tests/run does.  Sourced by tests/run after report.sh; $root, $level and $logs are set.

suites_environment()
{
    local supp="$root/tests/lib/tsan.supp"
    jobs=$(nproc)
    export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
    export ASAN_OPTIONS='detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1'
    export UBSAN_OPTIONS='print_stacktrace=1'
    export TSAN_OPTIONS="suppressions='$supp':halt_on_error=1:second_deadlock_stack=1"
    export SATCHEL_TEST_LEVEL="$level"
    # Debian's own interpreter sees Debian's modules; another one may stand first on PATH.
    python=/usr/bin/python3
    # ccache is a help, not a need: its folder must be writable.
    if command -v ccache >/dev/null && mkdir -p "${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ccache}" 2>/dev/null; then
        export CMAKE_C_COMPILER_LAUNCHER=ccache
    fi
}

# build_preset PRESET: configure and build into build/PRESET.
build_preset()
{
    local cache="build/$1/CMakeCache.txt" fresh=()
    # A tree that was moved or copied cannot go on with the other place's cache.
    if [ -f "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
        fresh=(--fresh)
    fi
    cmake --preset "$1" "${fresh[@]}" && cmake --build --preset "$1" -j "$jobs"
}

declare -A built=()
build()
{
    if check "$1" build_preset "$1"; then
        built[$1]=1
    fi
}

suite_build()
{
    local presets=(asan clang constant) preset
    [ "$level" = quick ] || presets+=(release fuzz tsan)
    for preset in "${presets[@]}"; do
        build "$preset"
    done
}

# needs PRESET: false, with one failed test counted, if it was not built.
needs()
{
    [ -z "${built[$1]:-}" ] || return 0
    printf '%s: not run, because build/%s failed\n' "$suite" "$1"
    count 0 1 0
    return 1
}

# present FILE: false if it is not in the tree yet.
present()
{
    [ -e "$1" ] || return 1
}

# suite_ctest PRESET LABELS [ARG...]: the tests with one of these labels (a regular expression).
suite_ctest()
{
    local preset=$1 label=$2
    shift 2
    needs "$preset" || return 0
    ctest --test-dir "build/$preset" -N -L "^($label)\$" | grep -q 'Total Tests: 0' && return 0
    check_ctest "$preset" "build/$preset" -L "^($label)\$" -j "$jobs" "$@" || true
}

suite_lint()
{
    check_summary lint tests/lint || true
    check_summary rules "$python" tests/lib/lint_selftest.py || true
}

suite_headers()
{
    needs asan || return 0
    check_summary headers tests/lib/headers build/asan || true
}

suite_docs()
{
    check_summary docs tests/lib/docs || true
}

suite_vectors()
{
    needs asan || return 0
    check_summary oracle "$python" tests/vectors/run build/asan/bin/oracle || true
}

# With the key network replaced by zeros everything must come out the same: the lemma of FORMATS.md section 10.
suite_constant()
{
    suite_ctest constant 'unit|contract'
    [ "$level" != quick ] && [ -n "${built[constant]:-}" ] || return 0
    suite_ctest constant 'integration|client'
    check_summary programs "$python" tests/integration/run.py --build build/constant --level quick \
        tests/integration tests/interop || true
}

suite_interop()
{
    present tests/interop || return 0
    present build/asan/bin/satchel || return 0
    needs asan || return 0
    check_summary interop "$python" tests/integration/run.py --build build/asan --level "$level" \
        tests/interop || true
}

suite_integration()
{
    present build/asan/bin/satchel || return 0
    needs asan || return 0
    [ "$level" = quick ] || suite_ctest asan integration
    check_summary programs "$python" tests/integration/run.py --build build/asan --level "$level" \
        tests/integration || true
}

suite_exact()
{
    needs asan && needs clang && needs release || return 0
    check_summary exact tests/exact/run build/release build/clang build/asan || true
    check_summary exact tests/exact/run-previews build/release build/clang build/asan || true
}

suite_fault()
{
    present build/release/bin/satchel || return 0
    needs release || return 0
    check_summary programs "$python" tests/integration/run.py --build build/release --level "$level" \
        tests/fault || true
}

suite_fuzz()
{
    local seconds=10 source name
    needs fuzz || return 0
    [ "$level" != soak ] || seconds=300
    for source in tests/fuzz/fuzz_*.c; do
        [ -e "$source" ] || return 0
        name=$(basename "$source" .c)
        check "${name#fuzz_}" tests/lib/fuzz-one "build/fuzz/bin/$name" "tests/fuzz/corpus/${name#fuzz_}" "$seconds" || true
    done
}

suite_tsan()
{
    suite_ctest tsan 'unit|contract'
}

suite_install()
{
    present build/release/bin/satchel || return 0
    needs release || return 0
    check_summary install tests/lib/install-check build/release || true
}

suite_tidy()
{
    needs clang || return 0
    check_summary tidy tests/lib/tidy build/clang "$jobs" || true
}

# What git sees of the tree; nothing without git.
tree_state()
{
    git status --porcelain 2>/dev/null || true
}

tree_unchanged()
{
    local after
    git rev-parse --git-dir >/dev/null 2>&1 || return 77
    after=$(tree_state)
    [ "$after" = "$tree_before" ] || {
        printf 'the tests changed the tree:\n%s\n' "$after"
        return 1
    }
}

suite_tree()
{
    check unchanged tree_unchanged || true
}
