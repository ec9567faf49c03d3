/* SPDX-License-Identifier: Apache-2.0 */
/* log: one line for each event. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

static int ends[2];
static char got[8192];

static int setup(void **state)
{
    (void)state;
    return pipe2(ends, O_NONBLOCK | O_CLOEXEC);
}

static int teardown(void **state)
{
    (void)state;
    log_to(STDERR_FILENO, false);
    log_set_level(LOG_AT_INFO);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* What was written since the last call. */
static const char *lines(void)
{
    ssize_t n = read(ends[0], got, sizeof(got) - 1);

    got[n > 0 ? n : 0] = '\0';
    return got;
}

static void test_journal_form(void **state)
{
    struct err err = {0};

    (void)state;
    log_to(ends[1], true);
    (void)err_set(&err, ERR_IO, "cannot open '%s'", "x");
    log_event(LOG_AT_WARN, "seen", log_num("n", 3), log_int("m", -3), log_code(ERR_IO),
              log_why(&err));
    assert_string_equal(lines(), "<4>event=seen n=3 m=-3 code=io why=\"cannot open 'x'\"\n");
    log_plain(LOG_AT_ERROR, "gone wrong");
    assert_string_equal(lines(), "<3>event=\"gone wrong\"\n");
    log_event(LOG_AT_INFO, "big", log_num("n", UINT64_MAX), log_str("s", NULL));
    assert_string_equal(lines(), "<6>event=big n=9223372036854775807 s=\"\"\n");
}

static void test_a_line_stays_one_line(void **state)
{
    (void)state;
    log_to(ends[1], true);
    log_event(LOG_AT_INFO, "x", log_str("v", "a\nb\t\"c\\ =\x7f\xc3\xa9"));
    assert_string_equal(lines(), "<6>event=x v=\"a\\x0ab\\x09\\\"c\\\\ =\\x7f\\xc3\\xa9\"\n");
    log_event(LOG_AT_INFO, "x", log_str("v", "a=b"));
    assert_string_equal(lines(), "<6>event=x v=\"a=b\"\n");
}

static void test_plain_form_has_time_and_level(void **state)
{
    const char *line;

    (void)state;
    log_to(ends[1], false);
    log_plain(LOG_AT_INFO, "started");
    line = lines();
    assert_int_equal(strlen(line), strlen("2026-10-03T16:20:11.042Z info event=started\n"));
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[23], 'Z');
    assert_string_equal(line + 24, " info event=started\n");
}

static void test_levels(void **state)
{
    (void)state;
    log_to(ends[1], true);
    log_plain(LOG_AT_DEBUG, "no");
    assert_string_equal(lines(), "");
    log_set_level(LOG_AT_DEBUG);
    assert_true(log_wants(LOG_AT_DEBUG));
    log_plain(LOG_AT_DEBUG, "yes");
    assert_string_equal(lines(), "<7>event=yes\n");
    log_set_level(LOG_AT_ERROR);
    log_plain(LOG_AT_WARN, "no");
    assert_string_equal(lines(), "");
}

static void test_long_values_are_cut(void **state)
{
    char value[5000];

    (void)state;
    memset(value, '\n', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    log_to(ends[1], true);
    log_event(LOG_AT_INFO, "x", log_str("a", value), log_str("b", value));
    assert_true(strlen(lines()) <= 2048);
    assert_int_equal(got[strlen(got) - 1], '\n');
    assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
}

static void test_nobody_reads(void **state)
{
    unsigned sent = 0;
    char *last, *next;

    (void)state;
    log_to(ends[1], true);
    for (; sent < 20000; sent++) /* far more than a pipe holds: must not wait */
        log_plain(LOG_AT_INFO, "filling the pipe up");
    while (read(ends[0], got, sizeof(got)) > 0)
        ;
    log_plain(LOG_AT_INFO, "again");
    last = strstr(lines(), " dropped=");
    assert_non_null(last);
    assert_true(strtoul(last + 9, &next, 10) > 1000);
    log_plain(LOG_AT_INFO, "last");
    assert_string_equal(lines(), "<6>event=last\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_journal_form, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_stays_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain_form_has_time_and_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_values_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_reads, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
