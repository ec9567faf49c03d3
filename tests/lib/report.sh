# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# report - counts tests and prints one line for each suite.  Sourced by tests/run, which sets $root and $logs.
#
# A suite is a function: suite_run NAME FUNCTION runs it and prints its line, unless ${only} names others.  Inside it:
#   check NAME COMMAND...          one test: exit 0 passed, 77 skipped, anything else failed
#   check_summary NAME COMMAND...  many: the last line of the output is `N passed, N failed, N skipped`
#   check_ctest NAME DIR ARG...    many: ctest in the build folder DIR with these arguments
#   count PASSED FAILED SKIPPED    what something else has counted
# The output of each goes to $logs/SUITE.NAME.log; the end of it is printed on failure.

total_passed=0 total_failed=0 total_skipped=0
suite='' suite_passed=0 suite_failed=0 suite_skipped=0
last_log='' # of the latest check

count()
{
    suite_passed=$((suite_passed + $1))
    suite_failed=$((suite_failed + $2))
    suite_skipped=$((suite_skipped + $3))
}

# suite_run NAME FUNCTION [ARG...]
suite_run()
{
    local start=$SECONDS
    suite=$1
    # The builds are needed by the others.
    if [ "${#only[@]}" -gt 0 ] && [ "$suite" != build ] && [[ " ${only[*]} " != *" $suite "* ]]; then
        return 0
    fi
    suite_passed=0 suite_failed=0 suite_skipped=0
    shift
    "$@"
    printf '%-13s %5d passed %5d failed %5d skipped %6d s\n' "$suite" \
        "$suite_passed" "$suite_failed" "$suite_skipped" $((SECONDS - start))
    total_passed=$((total_passed + suite_passed))
    total_failed=$((total_failed + suite_failed))
    total_skipped=$((total_skipped + suite_skipped))
}

# The last line of all; fails if a test failed or if there was none.
report_total()
{
    printf '%d passed, %d failed, %d skipped\n' "$total_passed" "$total_failed" "$total_skipped"
    [ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]
}

# log_tail FILE WHAT: the end of a log, indented.
log_tail()
{
    printf -- '--- %s; the whole log: %s\n' "$2" "$1"
    tail -n "${SATCHEL_TEST_TAIL:-40}" "$1" | sed 's/^/    /'
}

# Run a command with its output in the log of this check.
run_logged()
{
    last_log="$logs/$suite.$1.log"
    shift
    "$@" >"$last_log" 2>&1 </dev/null
}

check()
{
    local rc=0
    run_logged "$@" || rc=$?
    case $rc in
    0) count 1 0 0 ;;
    77) count 0 0 1 ;;
    *)
        count 0 1 0
        log_tail "$last_log" "$suite: $1 failed with exit code $rc"
        return 1
        ;;
    esac
}

check_summary()
{
    local rc=0 line
    run_logged "$@" || rc=$?
    line=$(tail -n 1 "$last_log")
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        count "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}"
        [ "$rc" -ne 0 ] || return 0
        # A failing script that says that nothing failed has failed itself.
        [ "${BASH_REMATCH[2]}" -gt 0 ] || count 0 1 0
    else
        count 0 1 0
    fi
    log_tail "$last_log" "$suite: $1 failed with exit code $rc"
    return 1
}

# A selection that selects no test is a failure: a check that fails if it saw nothing.
check_ctest()
{
    local name=$1 dir=$2 junit="$logs/$suite.$1.xml" numbers
    shift 2
    rm -f "$junit"
    run_logged "$name" ctest --test-dir "$dir" --output-junit "$junit" --output-on-failure \
        --test-output-size-passed 1000000 --test-output-size-failed 1000000 --no-tests=error "$@" || true
    if ! numbers=$(python3 "$root/tests/lib/junit.py" counts "$junit" 2>>"$last_log"); then
        count 0 1 0
        log_tail "$last_log" "$suite: ctest $* ran no test"
        return 1
    fi
    # shellcheck disable=SC2086 # three numbers
    count $numbers
    python3 "$root/tests/lib/junit.py" failures "$junit" | sed "s/^/    /"
}
