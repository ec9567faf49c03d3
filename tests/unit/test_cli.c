/* SPDX-License-Identifier: Apache-2.0 */
/* The command's option parser and what it lets through to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/cli/cli.h"
#include "client/cli/hook.h"
#include "client/cli/media.h"
#include "client/cli/options.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"
#include "client/cli/when.h"

static struct {
    const char *text;
    bool flag, global;
    uint32_t count;
    uint64_t span;
    struct when end;
    int fd;
    struct opt_list list;
} v;

static const struct opt globals[] = {{"json", 0, OPT_FLAG, &v.global, NULL, ""}, {0}};
static const struct opt own[] = {
    {"output", 'o', OPT_TEXT, &v.text, "X", ""}, {"force", 'f', OPT_FLAG, &v.flag, NULL, ""},
    {"opens", 0, OPT_COUNT, &v.count, "N", ""},  {"for", 0, OPT_DURATION, &v.span, "T", ""},
    {"expires", 0, OPT_END, &v.end, "T", ""},    {"recovery-fd", 0, OPT_FD, &v.fd, "N", ""},
    {"to", 't', OPT_LIST, &v.list, "W", ""},     {0},
};

/* Parse ${words}, separated by spaces; returns the code, operands joined in ${ret_rest}. */
static int parse(const char *words, char *ret_rest, struct satchel_error *err)
{
    static char copy[256];
    char *argv[32];
    int argc = 0, rc;

    memset(&v, 0, sizeof(v));
    (void)snprintf(copy, sizeof(copy), "%s", words);
    for (char *at = copy; at != NULL; argc++) {
        char *space = strchr(at, ' ');

        if (space != NULL)
            *space = '\0';
        argv[argc] = at;
        at = space != NULL ? space + 1 : NULL;
    }
    rc = options_parse(globals, own, false, &argc, argv, err);
    ret_rest[0] = '\0';
    for (int i = 0; rc == SATCHEL_OK && i < argc; i++) {
        strncat(ret_rest, argv[i], 64);
        strncat(ret_rest, i + 1 < argc ? "," : "", 2);
    }
    return rc;
}

static void test_options_mix_with_operands(void **state)
{
    struct satchel_error err;
    char rest[256];

    (void)state;
    assert_int_equal(parse("a -o x b --json --force --opens=3 c", rest, &err), SATCHEL_OK);
    assert_string_equal(rest, "a,b,c");
    assert_string_equal(v.text, "x");
    assert_true(v.flag && v.global);
    assert_int_equal(v.count, 3);
}

static void test_option_takes_whatever_comes_next(void **state)
{
    struct satchel_error err;
    char rest[256];

    (void)state;
    assert_int_equal(parse("--output --force -- -f", rest, &err), SATCHEL_OK);
    assert_string_equal(v.text, "--force");
    assert_false(v.flag);
    assert_string_equal(rest, "-f");
    assert_int_equal(parse("-", rest, &err), SATCHEL_OK);
    assert_string_equal(rest, "-");
}

/* Nobody may be dropped silently when the option stands there twice. */
static void test_lists_add_up(void **state)
{
    struct satchel_error err;
    char rest[256];

    (void)state;
    assert_int_equal(parse("f --to a,b -t c g --to=d", rest, &err), SATCHEL_OK);
    assert_string_equal(rest, "f,g");
    assert_int_equal(v.list.count, 4);
    for (size_t i = 0; i < v.list.count; i++) {
        char want[] = {(char)('a' + i), '\0'};

        assert_string_equal(v.list.items[i], want);
    }
}

static void test_lists_are_trimmed(void **state)
{
    char value[] = " bob\t, carol and dave ,e ", empty[] = "a, ,b", option[] = "--to";
    char *argv[] = {option, value};
    struct satchel_error err;
    int argc = 2;

    (void)state;
    memset(&v, 0, sizeof(v));
    assert_int_equal(options_parse(globals, own, false, &argc, argv, &err), SATCHEL_OK);
    assert_int_equal(v.list.count, 3);
    assert_string_equal(v.list.items[0], "bob");
    assert_string_equal(v.list.items[1], "carol and dave");
    assert_string_equal(v.list.items[2], "e");
    argc = 2;
    argv[0] = option;
    argv[1] = empty;
    memset(&v, 0, sizeof(v));
    assert_int_equal(options_parse(globals, own, false, &argc, argv, &err), SATCHEL_E_INVALID);
}

static void test_lists_are_bounded(void **state)
{
    char value[OPT_LIST_MAX * 2 + 2], option[] = "--to";
    char *argv[] = {option, value};
    struct satchel_error err;
    int argc = 2;

    (void)state;
    for (size_t i = 0; i < OPT_LIST_MAX + 1; i++)
        memcpy(value + 2 * i, "x,", 2);
    value[2 * OPT_LIST_MAX + 1] = '\0';
    memset(&v, 0, sizeof(v));
    assert_int_equal(options_parse(globals, own, false, &argc, argv, &err), SATCHEL_E_INVALID);
    value[2 * OPT_LIST_MAX - 1] = '\0';
    for (size_t i = 0; i < OPT_LIST_MAX - 1; i++)
        value[2 * i + 1] = ',';
    argc = 2;
    memset(&v, 0, sizeof(v));
    assert_int_equal(options_parse(globals, own, false, &argc, argv, &err), SATCHEL_OK);
    assert_int_equal(v.list.count, OPT_LIST_MAX);
}

/* The first failure gives the exit code and is told once. */
static void test_first_failure_stays(void **state)
{
    struct satchel_error one = {0}, err = {0};
    int first = SATCHEL_OK;

    (void)state;
    cli_keep_first(SATCHEL_OK, &one, &first, &err);
    assert_int_equal(first, SATCHEL_OK);
    cli_error(&one, SATCHEL_E_NOTFOUND, "first");
    cli_keep_first(SATCHEL_E_NOTFOUND, &one, &first, &err);
    cli_error(&one, SATCHEL_E_IO, "second");
    cli_keep_first(SATCHEL_E_IO, &one, &first, &err);
    assert_int_equal(first, SATCHEL_E_NOTFOUND);
    assert_int_equal(err.exit_code, 3);
    assert_string_equal(err.message, "");
    cli_error(&one, SATCHEL_E_CANCELED, "third");
    cli_keep_first(SATCHEL_E_CANCELED, &one, &first, &err);
    assert_int_equal(first, SATCHEL_E_CANCELED);
    assert_int_equal(err.exit_code, 3);
}

static void test_bad_options(void **state)
{
    static const char *const bad[] = {
        "--bogus",
        "-x",
        "--outputs=1",
        "--output",
        "--force=1",
        "--opens 0",
        "--opens -1",
        "--opens 1x",
        "--opens 4294967296",
        "--expires 7",
        "--expires 0d",
        "--expires 7y",
        "--expires 99999999999999999999d",
        "--recovery-fd 999",
        "--recovery-fd x",
        "--to ,",
        "--to a,",
        "--to ,a",
        "--to a,,b",
        "--to=",
    };
    struct satchel_error err;
    char rest[256];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i], rest, &err), SATCHEL_E_INVALID);
        assert_int_equal(err.exit_code, 2);
        assert_true(err.message[0] != '\0');
    }
}

static void test_rates(void **state)
{
    uint64_t rate = 7;

    (void)state;
    assert_true(options_rate("300", &rate));
    assert_int_equal(rate, 300);
    assert_true(options_rate("500K", &rate));
    assert_int_equal(rate, 500000);
    assert_true(options_rate("2G", &rate));
    assert_int_equal(rate, 2000000000);
    assert_false(options_rate("0", &rate));
    assert_false(options_rate("10MB", &rate));
    assert_false(options_rate("-1", &rate));
    assert_false(options_rate("", &rate));
    assert_false(options_rate("99999999999999999999", &rate));
    assert_false(options_rate("18446744073709551615G", &rate));
    assert_int_equal(rate, 2000000000);
}

static void test_durations(void **state)
{
    uint64_t ms = 0;

    (void)state;
    assert_true(options_duration("7d", &ms));
    assert_true(ms == 7 * 86400000ULL);
    assert_true(options_duration("2w", &ms));
    assert_true(ms == 14 * 86400000ULL);
    assert_false(options_duration("d", &ms));
    assert_false(options_duration("1.5d", &ms));
    assert_false(options_duration(" 1d", &ms));
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"2025-11-21", 1763683200000ULL},
        {"2025-11-21Z", 1763683200000ULL},
        {"2025-11-21T08:00", 1763712000000ULL},
        {"2025-11-21 08:00Z", 1763712000000ULL},
        {"2025-11-21T08:00:01Z", 1763712001000ULL},
        {"2025-11-21T08:00:00.123Z", 1763712000123ULL}, /* as it is shown */
        {"2024-02-29", 1709164800000ULL},
    };
    static const char *const bad[] = {"",
                                      "2025",
                                      "2025-11",
                                      "2025-11-2",
                                      "2025-02-29",
                                      "2025-13-01",
                                      "2025-11-31",
                                      "2025-11-21T",
                                      "2025-11-21T08",
                                      "2025-11-21T24:00",
                                      "0000-00-00",
                                      "2025-11-21x",
                                      "2025-11-21T08:60",
                                      "2025-11-21T08:00:",
                                      "2025-11-21T08:00+01",
                                      "1969-12-31",
                                      "25-11-21",
                                      " 2025-11-21",
                                      "2025-11-21T08:00:00.12Z"};
    uint64_t ms = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(when_time(good[i].text, &ms));
        assert_true(ms == good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(when_time(bad[i], &ms));
}

static void test_ends(void **state)
{
    static const uint64_t now = 1763683200000ULL; /* 2025-11-21 */
    struct satchel_error err;
    struct when w = {1, 1};
    char rest[256];

    (void)state;
    assert_int_equal(when_read("extend", "2d", now, &w, &err), SATCHEL_OK);
    assert_true(w.span == 2 * 86400000ULL && w.time == 0);
    assert_int_equal(when_read("extend", "2025-11-22", now, &w, &err), SATCHEL_OK);
    assert_true(w.span == 0 && w.time == now + 86400000ULL);
    assert_int_equal(when_read("extend", "2025-11-21", now, &w, &err), SATCHEL_E_INVALID);
    assert_string_equal(err.message, "extend: '2025-11-21' is in the past");
    assert_int_equal(err.exit_code, 2);
    assert_int_equal(when_read("extend", "soon", now, &w, &err), SATCHEL_E_INVALID);
    assert_string_equal(err.message, "extend: 'soon' is no length of time and no date");
    assert_non_null(strstr(err.hint, "2026-12-24"));
    assert_true(w.time == now + 86400000ULL); /* as it was */
    assert_int_equal(parse("--expires 9998-01-01T12:00", rest, &err), SATCHEL_OK);
    assert_true(v.end.span == 0 && v.end.time > now);
    assert_int_equal(parse("--expires=2020-01-01", rest, &err), SATCHEL_E_INVALID);
    assert_string_equal(err.message, "--expires: '2020-01-01' is in the past");
}

/* What ui_error() writes to standard error, in ${ret}. */
static void error_text(const struct satchel_error *err, char *ret, size_t size)
{
    FILE *file = tmpfile();
    int old = dup(STDERR_FILENO);
    size_t n;

    assert_non_null(file);
    assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    ui_error(err);
    assert_int_equal(dup2(old, STDERR_FILENO), STDERR_FILENO);
    rewind(file);
    n = fread(ret, 1, size - 1, file);
    ret[n] = '\0';
    (void)close(old);
    (void)fclose(file);
}

/* First of all tests: nothing was told yet. */
static void test_no_error_is_silent(void **state)
{
    struct satchel_error err = {.code = SATCHEL_E_INTERNAL}, told = {.code = SATCHEL_E_IO};
    char text[256];

    (void)state;
    error_text(&err, text, sizeof(text));
    assert_string_equal(text, "satchel: internal error\n");
    error_text(&told, text, sizeof(text)); /* the first of several was told in its place */
    assert_string_equal(text, "");
    (void)snprintf(told.message, sizeof(told.message), "x");
    error_text(&told, text, sizeof(text));
    assert_string_equal(text, "satchel: x\n");
}

static void test_hostile_text_is_escaped(void **state)
{
    char out[TEXT_SAFE], *all;

    (void)state;
    assert_string_equal(text_safe("a\nb\x1b[31m", out, sizeof(out)), "a\\nb\\x1b[31m");
    assert_string_equal(text_safe("\xff\xc0\x80", out, sizeof(out)), "\\xff\\xc0\\x80");
    assert_string_equal(text_safe("\xc2\x9b", out, sizeof(out)), "\\x9b");
    assert_string_equal(text_safe("\xe2\x80\xae"
                                  "exe.pdf",
                                  out, sizeof(out)),
                        "\\u202eexe.pdf");
    assert_string_equal(text_safe("gr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\x81", out, sizeof(out)),
                        "gr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\x81");
    assert_string_equal(text_safe("\xed\xa0\x80", out, sizeof(out)), "\\xed\\xa0\\x80");
    assert_string_equal(text_safe("\xe2\x82", out, sizeof(out)), "\\xe2\\x82"); /* cut short */
    assert_string_equal(text_safe("ab\x01", out, 5), "ab"); /* an escape is never cut */
    all = text_message("a\nb\r\xff\xe2\x80\xae");
    assert_string_equal(all, "a\nb\\x0d\\xff\\u202e");
    free(all);
    all = text_message("\x01\x02"); /* all of it an escape */
    assert_string_equal(all, "\\x01\\x02");
    free(all);
}

static void test_json_text_repairs(void **state)
{
    json_t *bad, *good;

    (void)state;
    good = ui_json_text("gr\xc3\xbc\xc3\x9f");
    assert_string_equal(json_string_value(good), "gr\xc3\xbc\xc3\x9f");
    bad = ui_json_text("a\xff"
                       "b");
    assert_string_equal(json_string_value(bad), "a\xef\xbf\xbd"
                                                "b");
    json_decref(bad);
    json_decref(good);
}

static void test_sizes_and_times(void **state)
{
    char size[TEXT_SIZE], time[TEXT_TIME];

    (void)state;
    assert_string_equal(text_size(0, size), "0 B");
    assert_string_equal(text_size(1023, size), "1023 B");
    assert_string_equal(text_size(1536, size), "1.5 KiB");
    assert_string_equal(text_size(1048575, size), "1.0 MiB");
    assert_string_equal(text_size(UINT64_MAX, size), "16.0 EiB");
    assert_string_equal(text_time(1763712000123ULL, time), "2025-11-21T08:00:00.123Z");
    assert_string_equal(text_span(99000, size), "99s");
    assert_string_equal(text_span(7 * 86400000ULL, size), "7d");
    assert_string_equal(text_span(7 * 86400000ULL - 2000, size), "7d");
    assert_int_equal(text_columns("gr\xc3\xbc\xc3\x9f"), 4);
}

static void test_media_types(void **state)
{
    (void)state;
    assert_string_equal(media_type_of("/a/b.PNG"), "image/png");
    assert_string_equal(media_type_of("x.tar.gz"), "application/gzip");
    assert_null(media_type_of("/a.png/b"));
    assert_null(media_type_of("png"));
    assert_null(media_type_of(""));
}

static void test_programs_are_found(void **state)
{
    (void)state;
    assert_int_equal(setenv("PATH", "/nowhere::/usr/bin:/bin", 1), 0);
    assert_true(hook_exists("sh"));
    assert_true(hook_exists("/bin/sh"));
    assert_false(hook_exists("no-such-program"));
    assert_int_equal(setenv("PATH", ":", 1), 0);
    assert_false(hook_exists("sh"));
    assert_int_equal(unsetenv("PATH"), 0);
    assert_true(hook_exists("sh"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_error_is_silent),
        cmocka_unit_test(test_programs_are_found),
        cmocka_unit_test(test_options_mix_with_operands),
        cmocka_unit_test(test_option_takes_whatever_comes_next),
        cmocka_unit_test(test_lists_add_up),
        cmocka_unit_test(test_lists_are_trimmed),
        cmocka_unit_test(test_lists_are_bounded),
        cmocka_unit_test(test_first_failure_stays),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_hostile_text_is_escaped),
        cmocka_unit_test(test_json_text_repairs),
        cmocka_unit_test(test_sizes_and_times),
        cmocka_unit_test(test_media_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
