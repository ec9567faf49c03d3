/* SPDX-License-Identifier: Apache-2.0 */
/* config: the table-driven settings file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/config.h"

struct values {
    char *path, *note;
    bool on;
    uint64_t count, bytes, wait;
    unsigned colour;
    struct config_list names;
};

static const char *const colours[] = {"red", "green", "blue", NULL};
#define OPT(section, name, type, field) section, name, type, offsetof(struct values, field)

static const struct config_option options[] = {
    {OPT("main", "path", CONFIG_STRING, path), 1, 100, NULL, NULL, true, "Where it is"},
    {OPT("main", "note", CONFIG_STRING, note), 0, 20, NULL, NULL, false, "A note"},
    {OPT("main", "on", CONFIG_BOOL, on), 0, 0, NULL, "yes", false, "Whether"},
    {OPT("limits", "count", CONFIG_INT, count), 1, 64, NULL, "8", false, "How many"},
    {OPT("limits", "bytes", CONFIG_SIZE, bytes), 0, 1ULL << 40, NULL, "64M", false, "How large"},
    {OPT("limits", "wait", CONFIG_DURATION, wait), 0, 86400000, NULL, "30s", false, "How long"},
    {OPT("limits", "colour", CONFIG_ENUM, colour), 0, 0, colours, "red", false, "Which"},
    {OPT("limits", "names", CONFIG_LIST, names), 0, 3, NULL, "a, b", false, "Who"},
};
static const struct config_schema schema = {options, sizeof(options) / sizeof(options[0]),
                                            sizeof(struct values), NULL};

static int parse(const char *text, struct values *v, struct config_report *rep)
{
    return config_parse(&schema, text, strlen(text), v, rep);
}

static void test_defaults_and_values(void **state)
{
    struct values v;
    struct config_report rep;

    (void)state;
    assert_int_equal(parse("# hello\n[main]\r\npath = /x\n", &v, &rep), ERR_OK);
    assert_string_equal(v.path, "/x");
    assert_null(v.note);
    assert_true(v.on);
    assert_int_equal(v.count, 8);
    assert_int_equal(v.bytes, 64 << 20);
    assert_int_equal(v.wait, 30000);
    assert_int_equal(v.names.n, 2);
    assert_string_equal(v.names.items[1], "b");
    config_free(&schema, &v);
    assert_null(v.path);

    assert_int_equal(parse("[limits]\ncount=64\nbytes = 3 k\nwait = 2h\ncolour = blue\n"
                           "names = x , \"y, z\"\n[main]\non=off\npath=\"/a b#\\\"c\\\\\"\nnote =",
                           &v, &rep),
                     ERR_OK);
    assert_string_equal(v.path, "/a b#\"c\\");
    assert_string_equal(v.note, "");
    assert_false(v.on);
    assert_int_equal(v.count, 64);
    assert_int_equal(v.bytes, 3072);
    assert_int_equal(v.wait, 7200000);
    assert_int_equal(v.colour, 2);
    assert_string_equal(v.names.items[1], "y, z");
    config_free(&schema, &v);
}

/* Text, the line the problem is on, a part of the message, a part of the hint. */
static const struct {
    const char *text;
    unsigned line;
    const char *msg, *hint;
} bad[] = {
    {"[main]\non = yes\n", 0, "'path' is missing in [main]", "Where it is"},
    {"[main]\npath=x\nnoet = y\n", 3, "unknown key 'noet'", "did you mean 'note'?"},
    {"[main]\npath=x\nzzzzzzz = y\n", 3, "unknown key 'zzzzzzz'", ""},
    {"[main]\npath=x\ncount = 3\n", 3, "unknown key 'count'", "it belongs into [limits]"},
    {"[man]\n[main]\npath=x\n", 1, "unknown section [man]", "did you mean [main]?"},
    {"[main\n[main]\npath=x\n", 1, "not closed", "[name]"},
    {"[ma/in]\n[main]\npath=x\n", 1, "not the name of a section", ""},
    {"[]\n[main]\npath=x\n", 1, "not the name of a section", ""},
    {"count = 1\n[main]\npath=x\n", 1, "key 'count' stands before any [section]",
     "it belongs into [limits]"},
    {"[main]\npath=x\njust words\n", 3, "neither a section nor a setting", "key = value"},
    {"[main]\npath=x\n= y\n", 3, "unknown key ''", ""},
    {"[main]\npath=x\npath=y\n", 3, "'path' stands here again, first on line 2", "keep one"},
    {"[main]\npath=\n", 2, "wrong length", "1 to 100 bytes"},
    {"[main]\npath=\"x\n", 2, "a quote is not closed", ""},
    {"[main]\npath=x # no\n", 2, "unexpected '#'", "line of their own"},
    {"[main]\npath=\"x\" y\n", 2, "unexpected 'y'", ""},
    {"[main]\npath=x\non=maybe\n", 3, "neither yes nor no: 'maybe'", "yes or no"},
    {"[main]\npath=x\n[limits]\ncount=0\n", 4, "'count' is out of range", "1 to 64"},
    {"[main]\npath=x\n[limits]\ncount=65\n", 4, "'count' is out of range", "1 to 64"},
    {"[main]\npath=x\n[limits]\ncount=-1\n", 4, "not a number: '-1'", "1 to 64"},
    {"[main]\npath=x\n[limits]\ncount=99999999999999999999\n", 4, "not a number", "1 to 64"},
    {"[main]\npath=x\n[limits]\nbytes=2T\n", 4, "'bytes' is out of range", "0 to 1T"},
    {"[main]\npath=x\n[limits]\nbytes=9999999999T\n", 4, "not a size", "0 to 1T"},
    {"[main]\npath=x\n[limits]\nbytes=12q\n", 4, "not a size, as in 64M: '12q'", ""},
    {"[main]\npath=x\n[limits]\nwait=12\n", 4, "not a duration, as in 30s: '12'", "0 to 1d"},
    {"[main]\npath=x\n[limits]\nwait=2d\n", 4, "'wait' is out of range", "0 to 1d"},
    {"[main]\npath=x\n[limits]\ncolour=pink\n", 4, "cannot be 'pink'", "red, green or blue"},
    {"[main]\npath=x\n[limits]\nnames=a,,b\n", 4, "empty item", ""},
    {"[main]\npath=x\n[limits]\nnames=a,b,\n", 4, "empty item", ""},
    {"[main]\npath=x\n[limits]\nnames=a,b,c,d\n", 4, "'names' has 4 items", "0 to 3 items"},
    {"[main]\npath=x\nnote=a\001b\n", 3, "control character", ""},
};

static void test_each_problem_names_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct values v;
        struct config_report rep;

        assert_int_equal(parse(bad[i].text, &v, &rep), ERR_INVALID);
        assert_int_equal(rep.total, 1);
        if (strstr(rep.items[0].msg, bad[i].msg) == NULL)
            fail_msg("%zu: '%s' lacks '%s'", i, rep.items[0].msg, bad[i].msg);
        if (strstr(rep.items[0].hint, bad[i].hint) == NULL)
            fail_msg("%zu: '%s' lacks '%s'", i, rep.items[0].hint, bad[i].hint);
        assert_int_equal(rep.items[0].line, bad[i].line);
        assert_null(v.path);
    }
}

static void test_all_problems_are_reported(void **state)
{
    struct values v;
    struct config_report rep;
    struct buf b = {0};

    (void)state;
    assert_int_equal(parse("[main]\nx=1\nnote=ok\n[limits]\ncount=0\nwait=1x\n", &v, &rep),
                     ERR_INVALID);
    assert_int_equal(rep.n, 4); /* and the path is missing */
    assert_int_equal(rep.items[0].line, 2);
    assert_int_equal(rep.items[1].line, 5);
    assert_int_equal(rep.items[2].line, 6);
    assert_int_equal(rep.items[3].line, 0);

    for (int i = 0; i < 100; i++)
        buf_put(&b, "?\n", 2);
    assert_int_equal(config_parse(&schema, (const char *)b.data, b.len, &v, &rep), ERR_INVALID);
    assert_int_equal(rep.n, CONFIG_MAX_PROBLEMS);
    assert_int_equal(rep.total, 101);
    buf_free(&b);
}

static void test_sizes_are_bounded(void **state)
{
    struct values v;
    struct config_report rep;
    char *text = calloc(1, CONFIG_MAX_FILE + 2);

    (void)state;
    memset(text, '#', CONFIG_MAX_FILE + 1);
    assert_int_equal(config_parse(&schema, text, CONFIG_MAX_FILE + 1, &v, &rep), ERR_INVALID);
    assert_non_null(strstr(rep.items[0].msg, "too large"));
    assert_int_equal(config_parse(&schema, text, CONFIG_MAX_LINE + 1, &v, &rep), ERR_INVALID);
    assert_non_null(strstr(rep.items[0].msg, "longer than"));
    text[3] = '\0';
    assert_int_equal(config_parse(&schema, text, 10, &v, &rep), ERR_INVALID);
    assert_non_null(strstr(rep.items[0].msg, "control character"));
    free(text);
}

static void test_dump_reads_back(void **state)
{
    static const char *const texts[] = {
        "[main]\npath=/x\n",
        "[main]\npath=\" /a,\\\"b\\\\ \"\nnote=\non=no\n[limits]\ncount=1\nbytes=0\nwait=0\n",
        "[main]\npath=x\n[limits]\nbytes=1537\nwait=90s\ncolour=green\nnames=\"a,b\", c\n",
        "[main]\npath=x\n[limits]\nnames=\nbytes=1T\nwait=999ms\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        for (int explain = 0; explain < 2; explain++) {
            struct values v, w;
            struct config_report rep;
            struct buf once = {0}, twice = {0};

            assert_int_equal(parse(texts[i], &v, &rep), ERR_OK);
            assert_int_equal(config_dump(&schema, &v, explain, &once, NULL), ERR_OK);
            if (config_parse(&schema, (char *)once.data, once.len, &w, &rep) != ERR_OK)
                fail_msg("%s in %.*s", rep.items[0].msg, (int)once.len, (char *)once.data);
            assert_int_equal(config_dump(&schema, &w, explain, &twice, NULL), ERR_OK);
            assert_int_equal(once.len, twice.len);
            assert_memory_equal(once.data, twice.data, once.len);
            assert_string_equal(v.path, w.path);
            assert_int_equal(v.wait, w.wait);
            assert_int_equal(v.names.n, w.names.n);
            config_free(&schema, &v);
            config_free(&schema, &w);
            buf_free(&once);
            buf_free(&twice);
        }
}

static void test_explained_dump(void **state)
{
    struct values v;
    struct config_report rep;
    struct buf b = {0};

    (void)state;
    assert_int_equal(parse("[main]\npath=/x\n[limits]\ncount=9\n", &v, &rep), ERR_OK);
    assert_int_equal(config_dump(&schema, &v, true, &b, NULL), ERR_OK);
    buf_u8(&b, 0);
    assert_non_null(strstr((char *)b.data, "# How many (1 to 64)\ncount = 9\n"));
    assert_non_null(strstr((char *)b.data, "# How large (0 to 1T)\n#bytes = 64M\n"));
    assert_non_null(strstr((char *)b.data, "# A note\n#note = \n"));
    buf_free(&b);
    config_free(&schema, &v);
}

static void test_changed_options_are_named(void **state)
{
    struct values a, b;
    struct config_report rep;
    struct buf names = {0};

    (void)state;
    assert_int_equal(parse("[main]\npath=/x\n[limits]\ncount=9\nbytes=1M\n", &a, &rep), ERR_OK);
    assert_int_equal(parse("[limits]\nbytes=1024k\nnames=a\n[main]\npath=/x\nnote=\n", &b, &rep),
                     ERR_OK);
    config_changed(&schema, &a, &a, &names);
    assert_int_equal(names.len, 0);
    config_changed(&schema, &a, &b, &names);
    buf_u8(&names, 0);
    assert_false(names.failed);
    assert_string_equal((char *)names.data, "note,count,names");
    buf_free(&names);
    config_free(&schema, &a);
    config_free(&schema, &b);
}

static void test_read_from_disk(void **state)
{
    char path[] = "/tmp/satchel-config-XXXXXX";
    struct values v;
    struct config_report rep;
    struct err err = {0};
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[main]\npath=/x\n", 15), 15);
    assert_int_equal(config_read(&schema, path, &v, &rep, &err), ERR_OK);
    config_free(&schema, &v);
    assert_int_equal(write(fd, "bad\n", 4), 4);
    assert_int_equal(config_read(&schema, path, &v, &rep, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, ":3: neither"));
    assert_string_equal(err.hint, "write it as: key = value");
    close(fd);
    unlink(path);
    assert_int_equal(config_read(&schema, path, &v, &rep, &err), ERR_NOTFOUND);
    assert_int_equal(rep.total, 0);
}

static void test_nearest(void **state)
{
    static const char *const words[] = {"listen", "registration", "quota"};

    (void)state;
    assert_string_equal(config_nearest("listne", words, 3), "listen");
    assert_string_equal(config_nearest("qouta", words, 3), "quota");
    assert_string_equal(config_nearest("registraton", words, 3), "registration");
    assert_null(config_nearest("colour", words, 3));
    assert_null(config_nearest("", words, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_and_values),
        cmocka_unit_test(test_each_problem_names_its_line),
        cmocka_unit_test(test_all_problems_are_reported),
        cmocka_unit_test(test_sizes_are_bounded),
        cmocka_unit_test(test_dump_reads_back),
        cmocka_unit_test(test_explained_dump),
        cmocka_unit_test(test_changed_options_are_named),
        cmocka_unit_test(test_read_from_disk),
        cmocka_unit_test(test_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
