/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's side: verbs of satcheld, satchelctl, registration by invitation. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

static char out[16384];

static const char *in_site(const char *name)
{
    static char path[4][128];
    static unsigned turn;

    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", stage_site.dir, name);
    return path[turn];
}

/* Run satchelctl with ${a} to ${d} (NULL: none left); the exit code. */
static int ctl(const char *a, const char *b, const char *c, const char *d)
{
    return site_run(out, sizeof(out), site_bin("satchelctl"), "--socket",
                    in_site("data/satcheld.sock"), a, b, c, d, NULL);
}

static int daemon_verb(const char *a, const char *b, const char *c, const char *d)
{
    return site_run(out, sizeof(out), site_bin("satcheld"), a, b, c, d, NULL);
}

static void assert_says(const char *text)
{
    if (strstr(out, text) == NULL)
        fail_msg("'%s' lacks '%s'", out, text);
}

/* ---- satcheld ---- */

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(daemon_verb("--version", NULL, NULL, NULL), 0);
    assert_says("satcheld ");
    assert_int_equal(daemon_verb("--help", NULL, NULL, NULL), 0);
    assert_says("satcheld init --data DIR");
    assert_int_equal(daemon_verb(NULL, NULL, NULL, NULL), 2);
    assert_int_equal(daemon_verb("initt", NULL, NULL, NULL), 2);
    assert_says("did you mean 'init'?");
    assert_int_equal(daemon_verb("init", NULL, NULL, NULL), 2);
    assert_says("--data is missing");
    assert_int_equal(daemon_verb("init", "--dta", "x", NULL), 2);
    assert_says("unknown option '--dta'");
    assert_int_equal(daemon_verb("init", "--data", NULL, NULL), 2);
    assert_says("--data needs an argument");
    assert_int_equal(daemon_verb("pin", "--config", "/nonexistent", NULL), 1);
    assert_says("does not exist");
    assert_int_equal(daemon_verb("--config", "/nonexistent", NULL, NULL), 1);
    assert_int_equal(daemon_verb("check-config", "/nonexistent", NULL, NULL), 1);
    assert_int_equal(daemon_verb("check-config", "a", "b", NULL), 2);
}

static void test_init_is_done_once(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(daemon_verb("init", "--data", in_site("data"), NULL), 1);
    assert_says("is initialised already");
    assert_says("hint:");
    assert_int_equal(stat(in_site("data"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(in_site("data/server.key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 32);
    assert_int_equal(stat(in_site("data/tls.key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(in_site("data/satcheld.sock"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* One that died half-way: what it left is made again. */
static void test_init_again_after_half_of_it(void **state)
{
    static const char *const left[] = {"tls.key", "keynet.weights", "hedge.key", "erasable.keys"};
    char path[160];

    (void)state;
    assert_int_equal(mkdir(in_site("half"), 0755), 0);
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", in_site("half"), left[i]);
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(write(fd, "half", 4), 4);
        close(fd);
    }
    assert_int_equal(site_run(out, sizeof(out), site_bin("satcheld"), "init", "--data",
                              in_site("half"), "--config", in_site("half.conf"), "--listen",
                              "127.0.0.1:0", NULL),
                     0);
    assert_says("next: satcheld --config ");
    assert_int_equal(daemon_verb("check-config", in_site("half.conf"), NULL, NULL), 0);
    assert_says("good");
}

static void test_pin_and_check_config(void **state)
{
    FILE *f;

    (void)state;
    assert_int_equal(daemon_verb("pin", "--config", in_site("conf"), NULL), 0);
    assert_int_equal(strlen(out), 44); /* and a newline */
    assert_int_equal(daemon_verb("check-config", in_site("conf"), NULL, NULL), 0);
    f = fopen(in_site("bad.conf"), "w");
    assert_non_null(f);
    fprintf(f, "[server]\ndata = %s\nlisten = nowhere\nregistraton = open\n[limits]\nwindow = 0\n",
            in_site("data"));
    fclose(f);
    assert_int_equal(daemon_verb("check-config", in_site("bad.conf"), NULL, NULL), 1);
    assert_says("bad.conf:4: unknown key 'registraton'");
    assert_says("hint: did you mean 'registration'?");
    assert_says("bad.conf:6: 'window' is out of range");
    f = fopen(in_site("bad.conf"), "w");
    fprintf(f, "[server]\ndata = /nonexistent\n");
    fclose(f);
    assert_int_equal(daemon_verb("check-config", in_site("bad.conf"), NULL, NULL), 1);
    assert_says("'/nonexistent/server.key' does not exist");
    assert_int_equal(daemon_verb("--config", in_site("bad.conf"), NULL, NULL), 1);
    assert_says("satcheld init");
}

static void test_a_second_daemon_on_the_same_data(void **state)
{
    (void)state;
    assert_int_equal(daemon_verb("--config", in_site("conf"), NULL, NULL), 1);
    assert_says("satcheld: ");
}

/* Beside the daemon that is running. */
static void test_shares_from_fresh_seeds(void **state)
{
    (void)state;
    assert_int_equal(site_run(out, sizeof(out), "sh", "-c",
                              "\"$0\" shares --data \"$1\" --raw --count 200 | od -An -v -tx1 -w32 "
                              "| sort -u | wc -l",
                              site_bin("satcheld"), in_site("data"), NULL),
                     0);
    assert_int_equal(strtol(out, NULL, 10), 200);
    assert_int_equal(site_run(out, sizeof(out), site_bin("satcheld"), "shares", "--data",
                              in_site("data"), "--raw", "--count", "x", NULL),
                     2);
    assert_int_equal(daemon_verb("shares", "--data", in_site("data"), "--raw"), 2);
}

/* ---- satchelctl ---- */

static void test_status_and_users(void **state)
{
    (void)state;
    assert_int_equal(ctl("status", NULL, NULL, NULL), 0);
    assert_says("3 users");
    assert_int_equal(ctl("--json", "status", NULL, NULL), 0);
    assert_says("{\"result\":{");
    assert_says("\"users\":3");
    assert_int_equal(ctl("users", NULL, NULL, NULL), 0);
    assert_says("alice ");
    assert_says("3 users");
    assert_int_equal(ctl("--json", "users", NULL, NULL), 0);
    assert_says("\"users\":[{");
    assert_int_equal(ctl("user", "show", "bob", NULL), 0);
    assert_says("bob@example.org");
    assert_int_equal(ctl("user", "show", "nobody", NULL), 1);
    assert_says("no such user");
    assert_int_equal(ctl("--json", "user", "show", "nobody"), 1);
    assert_says("{\"error\":{\"code\":\"notfound\"");
}

static void test_usage_of_satchelctl(void **state)
{
    (void)state;
    assert_int_equal(ctl("nonsense", NULL, NULL, NULL), 2);
    assert_int_equal(ctl("user", "show", NULL, NULL), 2);
    assert_int_equal(ctl("user", "show", "a b", NULL), 2);
    assert_int_equal(ctl("status", "now", NULL, NULL), 2);
    assert_int_equal(ctl("quota", "bob", "much", NULL), 2);
    assert_int_equal(ctl("invite", "create", "--uses", "0"), 2);
    assert_int_equal(site_run(out, sizeof(out), site_bin("satchelctl"), "--help", NULL), 0);
    assert_int_equal(site_run(out, sizeof(out), site_bin("satchelctl"), "--version", NULL), 0);
    assert_int_equal(site_run(out, sizeof(out), site_bin("satchelctl"), "--socket", "/nonexistent",
                              "status", NULL),
                     1);
    assert_says("is satcheld running?");
}

static void test_suspend_and_resume(void **state)
{
    struct peer p, q;

    (void)state;
    stage_enter(&p, &carol);
    assert_int_equal(ctl("user", "suspend", "carol", NULL), 0);
    assert_true(peer_ended(&p)); /* at once */
    stage_greet(&q);
    assert_int_equal(actor_login(&q, &carol), CODE(AUTH_FAILED));
    peer_close(&q);
    assert_int_equal(ctl("user", "show", "carol", NULL), 0);
    assert_says("suspended");
    assert_int_equal(ctl("user", "resume", "carol", NULL), 0);
    peer_close(&p);
    stage_enter(&p, &carol);
    peer_close(&p);
}

static void test_quota(void **state)
{
    struct parcel x;
    struct peer p;

    (void)state;
    assert_int_equal(ctl("quota", "bob", "10k", NULL), 0);
    assert_int_equal(ctl("--json", "user", "show", "bob"), 0);
    assert_says("\"quota\":10240");
    stage_enter(&p, &alice);
    stage_parcel(&x, 20000, 1);
    assert_int_equal(parcel_open(&p, &x), CODE(QUOTA));
    assert_int_equal(ctl("quota", "bob", "1G", NULL), 0);
    assert_int_equal(parcel_deliver(&p, &x), OK);
    parcel_free(&x);
    peer_close(&p);
}

static void test_verify(void **state)
{
    struct parcel x;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    stage_parcel(&x, 900000, 2);
    assert_int_equal(parcel_deliver(&p, &x), OK);
    assert_int_equal(ctl("verify", NULL, NULL, NULL), 0);
    assert_says(" 0 faults");
    assert_int_equal(ctl("--json", "verify", NULL, NULL), 0);
    assert_says("\"faults\":[]");
    parcel_free(&x);
    peer_close(&p);
}

/* Read a line and answer with ${lines}; 0 if that went well. */
static int answer_line(int fd, const char *lines)
{
    char c = '\0';

    while (c != '\n')
        if (read(fd, &c, 1) != 1)
            return 1;
    return write(fd, lines, strlen(lines)) == (ssize_t)strlen(lines) ? 0 : 1;
}

/* Answer what comes first to the socket ${name}, in a process of its own. */
static pid_t answer_once(const char *name, const char *lines)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    pid_t pid;

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%.100s", name);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(answer_line(accept(fd, NULL, NULL), lines));
    close(fd);
    return pid;
}

/* Of a store with many faults only the first are named, but all are counted. */
static void test_verify_tells_how_many(void **state)
{
    static const char lines[] =
        "{\"item\":{\"id\":\"00ff\",\"what\":\"piece does not match its leaf\",\"piece\":7}}\n"
        "{\"result\":{\"transfers\":3,\"pieces\":4000,\"faults\":1200}}\n";
    const char *name = in_site("fake.sock");
    int status = -1;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pid_t pid = answer_once(name, lines);

        assert_int_equal(site_run(out, sizeof(out), site_bin("satchelctl"), "--socket", name,
                                  "verify", i == 0 ? NULL : "--json", NULL),
                         1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(unlink(name), 0);
        if (i == 0) {
            assert_says("00ff piece 7: piece does not match its leaf\n");
            assert_says("3 transfers, 4000 pieces, 1200 faults; the first 1 are named\n");
        } else {
            assert_says("\"faults\":[{");
            assert_says("\"found\":1200");
        }
    }
}

static void test_reload_and_clock(void **state)
{
    (void)state;
    assert_int_equal(ctl("reload", NULL, NULL, NULL), 0);
    assert_true(site_logged(&stage_site, "event=reloaded"));
    assert_int_equal(ctl("clock", "confirm", NULL, NULL), 0);
    assert_true(site_logged(&stage_site, "event=clock_confirmed"));
}

/* ---- registration ---- */

/* Register ${name} with ${invite} on a connection of its own. */
static Satchel__Code register_one(const char *name, const char *invite)
{
    struct actor a;
    struct peer p;
    Satchel__Code code;

    actor_make(&a, name);
    stage_greet(&p);
    code = actor_register(&p, &a, invite);
    peer_close(&p);
    actor_free(&a);
    return code;
}

/* Make an invitation with an option (NULL: none). */
static void make_invitation(const char *option, const char *value, char ret_code[64])
{
    const char *at;

    assert_int_equal(site_run(out, sizeof(out), site_bin("satchelctl"), "--socket",
                              in_site("data/satcheld.sock"), "--json", "invite", "create", option,
                              value, NULL),
                     0);
    at = strstr(out, "\"code\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at + 8, "%22[A-Za-z0-9_-]", ret_code), 1);
}

static void test_invited_registration(void **state)
{
    char code[64];

    (void)state;
    assert_int_equal(site_stop(&stage_site), 0);
    site_start(&stage_site, "registration = invite\n");
    assert_int_equal(register_one("eve", NULL), CODE(AUTH_FAILED));
    assert_int_equal(register_one("eve", "0123456789012345678901"), CODE(AUTH_FAILED));
    make_invitation("--uses", "2", code);
    assert_int_equal(strlen(code), 22);
    assert_int_equal(register_one("frank", code), OK);
    assert_int_equal(register_one("frank", code), OK); /* again: uses none */
    assert_int_equal(register_one("grace", code), OK);
    assert_int_equal(register_one("heidi", code), CODE(AUTH_FAILED)); /* used up */
    assert_int_equal(ctl("invite", "list", NULL, NULL), 0);
    assert_says("0 of 2 left");
    make_invitation("--expires", "1ms", code);
    usleep(20000);
    assert_int_equal(register_one("heidi", code), CODE(AUTH_FAILED));
}

static void test_closed_registration(void **state)
{
    char code[64];

    (void)state;
    make_invitation(NULL, NULL, code);
    assert_int_equal(site_stop(&stage_site), 0);
    site_start(&stage_site, "registration = closed\n");
    assert_int_equal(register_one("ivan", code), CODE(AUTH_FAILED));
    assert_int_equal(register_one("ivan", NULL), CODE(AUTH_FAILED));
}

/* The log never names anybody. */
static void test_the_log_is_discreet(void **state)
{
    static const char *const never[] = {"alice", "bob", "carol", "judy", "example", "file "};
    struct parcel x;
    struct peer p;

    (void)state;
    assert_int_equal(site_stop(&stage_site), 0);
    site_start(&stage_site, "log_level = debug\n");
    assert_int_equal(register_one("judy", NULL), OK);
    stage_enter(&p, &alice);
    stage_parcel(&x, 20000, 3);
    assert_int_equal(parcel_deliver(&p, &x), OK);
    peer_close(&p);
    parcel_free(&x);
    test_suspend_and_resume(NULL);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        assert_false(site_log_has(&stage_site, never[i]));
    assert_true(site_log_has(&stage_site, "event=started"));
}

static void test_drain_by_command(void **state)
{
    (void)state;
    assert_int_equal(ctl("drain", NULL, NULL, NULL), 0);
    assert_int_equal(site_wait(&stage_site), 0);
    assert_true(site_log_has(&stage_site, "event=stopped"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_init_is_done_once),
        cmocka_unit_test(test_init_again_after_half_of_it),
        cmocka_unit_test(test_pin_and_check_config),
        cmocka_unit_test(test_a_second_daemon_on_the_same_data),
        cmocka_unit_test(test_shares_from_fresh_seeds),
        cmocka_unit_test(test_status_and_users),
        cmocka_unit_test(test_usage_of_satchelctl),
        cmocka_unit_test(test_suspend_and_resume),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_verify_tells_how_many),
        cmocka_unit_test(test_reload_and_clock),
        cmocka_unit_test(test_invited_registration),
        cmocka_unit_test(test_closed_registration),
        cmocka_unit_test(test_the_log_is_discreet),
        cmocka_unit_test(test_drain_by_command),
    };

    return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
