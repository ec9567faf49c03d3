/* SPDX-License-Identifier: Apache-2.0 */
/* settings: satcheld.conf, and the rules between its options. */
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

#include "server/settings.h"

static char path[] = "/tmp/satchel-settings-XXXXXX";

static int setup(void **state)
{
    int fd;

    (void)state;
    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static int read_text(const char *text, struct settings *s, struct config_report *rep,
                     struct err *err)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return settings_read(path, s, rep, err);
}

static void test_defaults_are_good(void **state)
{
    struct config_report rep;
    struct settings s;
    struct err err;

    (void)state;
    assert_int_equal(read_text("[server]\ndata = /srv/x\n", &s, &rep, &err), ERR_OK);
    assert_string_equal(s.data, "/srv/x");
    assert_int_equal(s.listen.n, 2);
    assert_int_equal(s.registration, SETTINGS_OPEN);
    assert_int_equal(s.idle, 600000);
    assert_null(s.certificate);
    settings_free(&s);
}

static void test_defaults_for_init(void **state)
{
    struct settings s, again;
    struct config_report rep;
    struct buf b = {0};

    (void)state;
    assert_int_equal(settings_defaults("/srv/data", "127.0.0.1:0", &s, NULL), ERR_OK);
    assert_string_equal(s.data, "/srv/data");
    assert_int_equal(s.listen.n, 1);
    assert_string_equal(s.listen.items[0], "127.0.0.1:0");
    assert_int_equal(config_dump(&settings_schema, &s, true, &b, NULL), ERR_OK);
    assert_int_equal(config_parse(&settings_schema, (char *)b.data, b.len, &again, &rep), ERR_OK);
    assert_string_equal(again.listen.items[0], "127.0.0.1:0");
    assert_int_equal(again.max_transfer, s.max_transfer);
    settings_free(&again);
    settings_free(&s);
    buf_free(&b);
}

static const struct {
    const char *text, *msg;
} bad[] = {
    {"data = relative\n", "does not begin with '/'"},
    {"data = /x\nlisten = example.org:1\n", "address"},
    {"data = /x\nlisten = 127.0.0.1:99999\n", "port"},
    {"data = /x\n[tls]\nkey = /k\n", "go together"},
    {"data = /x\n[tls]\ncertificate = /c\n", "go together"},
    {"data = /x\n[limits]\nmin_lifetime = 2d\nmax_lifetime = 1d\n", "'min_lifetime' is above"},
    {"data = /x\n[limits]\nqueued = 64M\n", "'queued' is above"},
    {"data = /x\n[limits]\nconnections = 5\n", "'connections_per_address' is above"},
    {"data = /x\nregistration = maybe\n", "'registration' cannot be 'maybe'"},
};

static void test_rules_between_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[512];
        struct config_report rep;
        struct settings s;
        struct err err = {0};

        (void)snprintf(text, sizeof(text), "[server]\n%s", bad[i].text);
        assert_int_equal(read_text(text, &s, &rep, &err), ERR_INVALID);
        assert_int_equal(rep.total, 1);
        if (strstr(rep.items[0].msg, bad[i].msg) == NULL)
            fail_msg("'%s' lacks '%s'", rep.items[0].msg, bad[i].msg);
        assert_null(s.data);
    }
}

/* Mistakes between options stand beside those of one line, each with the line to look at. */
static void test_every_mistake_at_once(void **state)
{
    static const struct {
        unsigned line;
        const char *msg;
    } said[] = {
        {3, "neither a section nor a setting"}, {4, "port"},          {6, "go together"},
        {8, "'min_lifetime' is above"},         {10, "not a number"},
    };
    struct config_report rep;
    struct settings s;
    struct err err = {0};

    (void)state;
    assert_int_equal(read_text("[server]\ndata = /x\nnonsense\nlisten = 127.0.0.1:99999\n[tls]\n"
                               "certificate = /c\n[limits]\nmin_lifetime = 2d\n"
                               "max_lifetime = 1d\nconnections = many\n",
                               &s, &rep, &err),
                     ERR_INVALID);
    assert_int_equal(rep.total, sizeof(said) / sizeof(said[0]));
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        bool found = false;

        for (size_t k = 0; k < rep.n; k++)
            found |= rep.items[k].line == said[i].line && strstr(rep.items[k].msg, said[i].msg);
        if (!found)
            fail_msg("nothing on line %u: %s", said[i].line, said[i].msg);
    }
}

/* What cannot be read is compared with nothing. */
static void test_a_faulty_value_breaks_no_rule(void **state)
{
    struct config_report rep;
    struct settings s;
    struct err err = {0};

    (void)state;
    assert_int_equal(read_text("[server]\ndata = /x\n[tls]\ncertificate = \"/c\nkey = /k\n"
                               "[limits]\nmin_lifetime = 20d\nmax_lifetime = 9x\n",
                               &s, &rep, &err),
                     ERR_INVALID);
    assert_int_equal(rep.total, 2);
    assert_int_equal(rep.items[0].line, 4);
    assert_int_equal(rep.items[1].line, 8);
    assert_int_equal(read_text("[limits]\nqueued = 64M\n", &s, &rep, &err), ERR_INVALID);
    assert_int_equal(rep.total, 2);
    assert_int_equal(rep.items[1].line, 2);
}

static void test_files_are_missing(void **state)
{
    struct config_report rep;
    struct settings s;
    struct err err;

    (void)state;
    assert_int_equal(read_text("[server]\ndata = /nonexistent\n", &s, &rep, &err), ERR_OK);
    assert_false(settings_check_files(&s, &rep));
    assert_int_equal(rep.total, 6); /* five files, and TLS */
    assert_non_null(strstr(rep.items[0].msg, "/nonexistent/server.key"));
    assert_non_null(strstr(rep.items[0].hint, "satcheld init"));
    settings_free(&s);
}

static void test_paths(void **state)
{
    struct settings s = {.data = (char *)(uintptr_t) "/d"};
    char *p;

    (void)state;
    for (int i = 0; i < SETTINGS_NAMES; i++) {
        p = settings_file("/d", (enum settings_name)i);
        assert_non_null(p);
        assert_memory_equal(p, "/d/", 3);
        assert_true(strlen(p) > 3);
        free(p);
    }
    p = settings_cert_path(&s);
    assert_string_equal(p, "/d/tls.crt");
    free(p);
    s.key = (char *)(uintptr_t) "/k";
    p = settings_key_path(&s);
    assert_string_equal(p, "/k");
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults_are_good, setup, teardown),
        cmocka_unit_test(test_defaults_for_init),
        cmocka_unit_test_setup_teardown(test_rules_between_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_mistake_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_faulty_value_breaks_no_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_are_missing, setup, teardown),
        cmocka_unit_test(test_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
