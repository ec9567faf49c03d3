/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: widths of characters, and what is cut where there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/table.h"
#include "client/cli/text.h"

#define DOTS         "\xe2\x80\xa6"
#define WIDE         "\xe6\xbc\xa2"     /* two columns */
#define JOINED       "e\xcc\x81"        /* an accent behind its letter: one */
#define GIFT         "\xf0\x9f\x8e\x81" /* two */
#define MARK         "\xcc\x81"         /* none, behind a letter */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_columns(void **state)
{
    (void)state;
    assert_int_equal(text_columns(""), 0);
    assert_int_equal(text_columns("gr\xc3\xbc\xc3\x9f"), 4);
    assert_int_equal(text_columns(WIDE WIDE "a"), 5);
    assert_int_equal(text_columns(JOINED), 1);
    assert_int_equal(text_columns(GIFT), 2);
    assert_int_equal(text_columns("\xff\xe6\xbc"), 3); /* no characters: one for each byte */
    assert_int_equal(text_columns("a" MARK MARK MARK MARK), 1); /* as languages have them */
    assert_int_equal(text_columns("a" MARK MARK MARK MARK MARK MARK),
                     3); /* a heap of them is not free */
    assert_int_equal(text_columns("a" MARK MARK MARK MARK "b" MARK MARK MARK MARK), 2);
    assert_int_equal(text_columns(MARK MARK MARK MARK MARK), 1);
}

static void test_fitting(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *want;
    } table[] = {
        {"", 0, ""},
        {"", 5, ""},
        {"abc", 3, "abc"},
        {"abcd", 3, "a" DOTS "d"},
        {"abc", 2, "a" DOTS},
        {"abc", 1, DOTS},
        {"abc", 0, ""},
        {"quarterly-report-2026.pdf", 15, "quarterly" DOTS "6.pdf"},
        {"quarterly-report-2026.pdf", 25, "quarterly-report-2026.pdf"},
        {WIDE WIDE WIDE, 6, WIDE WIDE WIDE},
        {WIDE WIDE WIDE, 5, WIDE DOTS}, /* no half of one: a column stays free */
        {WIDE WIDE WIDE WIDE, 6, WIDE DOTS WIDE},
        {"a" WIDE WIDE "b", 3, "a" DOTS "b"},
        {JOINED JOINED JOINED JOINED, 3, JOINED DOTS JOINED}, /* no accent stays alone */
        {"ab\xff\xff\xff", 4, "ab" DOTS "\xff"},
        {"a" MARK MARK MARK MARK MARK MARK, 2, "a" MARK MARK MARK MARK DOTS},
        {"a" MARK MARK MARK MARK MARK MARK "bc", 3, "a" MARK MARK MARK MARK DOTS "c"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_string_equal(text_fit(table[i].text, table[i].columns, out), table[i].want);
        assert_true(text_columns(out) <= table[i].columns);
        assert_true(strlen(out) < strlen(table[i].text) + TEXT_FIT);
    }
}

/* Every width, with characters of each kind at each place. */
static void test_fits_always(void **state)
{
    static const char text[] = "a" WIDE JOINED GIFT "b" WIDE WIDE JOINED JOINED "c" GIFT
                               "d" MARK MARK MARK MARK MARK MARK MARK "e";
    char out[sizeof(text) + TEXT_FIT];

    (void)state;
    for (size_t from = 0; from < sizeof(text); from++)
        for (size_t n = 0; n < 24; n++) {
            assert_true(text_columns(text_fit(text + from, n, out)) <= n);
            assert_true(strlen(out) < strlen(text + from) + TEXT_FIT);
        }
}

static void check_line(const struct table *t, char *const *cells, const char *want)
{
    char *line = table_line(t, cells);

    assert_non_null(line);
    assert_string_equal(line, want);
    free(line);
}

static struct table narrow(char *const *first, char *const *second, size_t columns)
{
    struct table t = {.heads = {"ID", "TO", "NAME", NULL, "STATE"},
                      .least = {[1] = 8, [2] = 8, [3] = 8}};

    for (size_t c = 5; c < TABLE_COLUMNS; c++)
        t.heads[c] = NULL;
    table_measure(&t, NULL);
    table_measure(&t, first);
    table_measure(&t, second);
    if (columns > 0)
        table_fit(&t, columns);
    return t;
}

static void test_rows(void **state)
{
    static char id[] = "1f", to[] = "bob", name[] = "gr\xc3\xbc" WIDE ".txt", spent[] = "spent",
                longer[] = "a-name-that-is-rather-long", file[] = "another-long-name-of-a-file.tar";
    char *const first[TABLE_COLUMNS] = {id, to, name, file, spent};
    char *const second[TABLE_COLUMNS] = {id, longer, file, file, spent};
    struct table t = narrow(first, first, 0);

    (void)state;
    check_line(&t, NULL, "ID  TO   NAME       STATE");
    check_line(&t, first, "1f  bob  gr\xc3\xbc" WIDE ".txt  spent");
    t = narrow(first, second, 200); /* there is room */
    check_line(&t, second,
               "1f  a-name-that-is-rather-long  another-long-name-of-a-file.tar  spent");
    t = narrow(first, second, 53);
    check_line(&t, second, "1f  a-name-that-i" DOTS "r-long  another-long-" DOTS "le.tar  spent");
    check_line(&t, first, "1f  bob                   gr\xc3\xbc" WIDE ".txt             spent");
    t = narrow(first, second, 10); /* wider than that, but not without end */
    check_line(&t, second, "1f  a-nam" DOTS "ng  anoth" DOTS "ar  spent");
    t = narrow(first, first, 10); /* what is short is not cut */
    check_line(&t, first, "1f  bob  gr\xc3\xbc" WIDE DOTS "xt  spent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_fitting),
        cmocka_unit_test(test_fits_always),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
