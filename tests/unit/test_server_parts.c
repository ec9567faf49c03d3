/* SPDX-License-Identifier: Apache-2.0 */
/* length, invite, hedge, notify: small parts of the daemon. */
#include <errno.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "common/transfer/body.h"
#include "server/hedge.h"
#include "server/invite.h"
#include "server/length.h"
#include "server/notify.h"

/* ---- length ---- */

static void test_lengths(void **state)
{
    static const uint64_t plain[] = {0,
                                     1,
                                     16383,
                                     16384,
                                     16385,
                                     262143,
                                     262144,
                                     262145,
                                     5000000,
                                     100ULL << 30,
                                     HEADER_BODY_MAX - 1};

    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        uint64_t sum = 0, back = 1, n = body_pieces(plain[i]);

        if (n < 100)
            for (uint32_t k = 0; k < n; k++)
                sum += body_sealed_len(plain[i], k);
        else
            sum = length_sealed(plain[i]);
        assert_true(length_sealed(plain[i]) == sum);
        assert_true(length_from_sealed(sum, &back));
        assert_true(back == plain[i]);
    }
}

static void test_lengths_that_cannot_be(void **state)
{
    uint64_t plain;

    (void)state;
    assert_false(length_from_sealed(0, &plain));
    assert_false(length_from_sealed(15, &plain));
    assert_false(length_from_sealed(16400, &plain)); /* the last chunk is missing */
    assert_false(length_from_sealed(16415, &plain));
    assert_true(length_from_sealed(16416, &plain));
    assert_false(length_from_sealed(UINT64_MAX, &plain));
}

/* ---- invite ---- */

static void test_invitations(void **state)
{
    char one[INVITE_TEXT], two[INVITE_TEXT];
    uint8_t hash[INVITE_HASH_LEN], again[INVITE_HASH_LEN];

    (void)state;
    assert_int_equal(invite_make(one, hash), ERR_OK);
    assert_int_equal(strlen(one), INVITE_TEXT - 1);
    assert_int_equal(invite_hash(one, again), ERR_OK);
    assert_memory_equal(hash, again, sizeof(hash));
    assert_int_equal(invite_make(two, again), ERR_OK);
    assert_string_not_equal(one, two);
    assert_memory_not_equal(hash, again, sizeof(hash));
    assert_int_equal(invite_hash("", hash), ERR_INVALID);
    assert_int_equal(invite_hash("short", hash), ERR_INVALID);
    assert_int_equal(invite_hash("this one is too long to be", hash), ERR_INVALID);
}

/* ---- hedge ---- */

static char path[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/satchel-hedge-%d", (int)getpid());
    (void)unlink(path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

/* The counter in the file. */
static uint64_t kept(void)
{
    uint8_t bytes[40];
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    assert_int_equal(fread(bytes, 1, sizeof(bytes), f), sizeof(bytes));
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
    return get_be64(bytes + 32);
}

static void test_numbers_are_claimed_before_use(void **state)
{
    uint8_t a[RNG_HEDGED_LEN], b[RNG_HEDGED_LEN];
    struct hedge *h = NULL;
    struct stat st;

    (void)state;
    assert_int_equal(hedge_open(&h, path, NULL), ERR_NOTFOUND);
    assert_int_equal(hedge_create(path, NULL), ERR_OK);
    assert_int_equal(hedge_create(path, NULL), ERR_EXISTS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(kept(), 0);
    assert_int_equal(hedge_open(&h, path, NULL), ERR_OK);
    assert_int_equal(kept(), 0);
    assert_int_equal(hedge_draw(h, "x", part_str("y"), a, NULL), ERR_OK);
    assert_int_equal(kept(), HEDGE_BLOCK); /* before the first number was used */
    assert_int_equal(hedge_draw(h, "x", part_str("y"), b, NULL), ERR_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    hedge_close(h);
    /* The next start goes on behind everything that may have been used. */
    assert_int_equal(hedge_open(&h, path, NULL), ERR_OK);
    assert_int_equal(hedge_draw(h, "x", part_str("y"), b, NULL), ERR_OK);
    assert_int_equal(kept(), 2 * HEDGE_BLOCK);
    hedge_close(h);
    hedge_close(NULL);
}

static void test_damaged_hedge(void **state)
{
    struct hedge *h = NULL;
    FILE *f = fopen(path, "w");

    (void)state;
    assert_non_null(f);
    assert_true(fputs("short", f) >= 0);
    fclose(f);
    assert_int_equal(hedge_open(&h, path, NULL), ERR_CORRUPT);
    assert_null(h);
}

static void test_no_block_no_numbers(void **state)
{
    uint8_t a[RNG_HEDGED_LEN];
    struct hedge *h = NULL;

    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path + strlen(path), 8, "/h");
    assert_int_equal(hedge_create(path, NULL), ERR_OK);
    assert_int_equal(hedge_open(&h, path, NULL), ERR_OK);
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
    assert_int_not_equal(hedge_draw(h, "x", part_str("y"), a, NULL), ERR_OK);
    hedge_close(h);
}

/* ---- notify ---- */

static void test_notify(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char text[128], name[40];
    ssize_t n;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    (void)state;
    (void)snprintf(name, sizeof(name), "@satchel-test-%d", (int)getpid());
    memcpy(at.sun_path, name, strlen(name));
    at.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    notify_send("nobody asked");
    assert_int_equal(recv(fd, text, sizeof(text), 0), -1);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    notify_send("READY=1");
    n = recv(fd, text, sizeof(text), 0);
    assert_int_equal(n, 7);
    assert_memory_equal(text, "READY=1", 7);
    notify_reloading();
    n = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_memory_equal(text, "RELOADING=1\nMONOTONIC_USEC=", 27);
    assert_int_equal(setenv("NOTIFY_SOCKET", "neither a path nor abstract", 1), 0);
    notify_send("READY=1");
    assert_int_equal(recv(fd, text, sizeof(text), 0), -1);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    close(fd);
}

static void set_env(const char *name, const char *value)
{
    assert_int_equal(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void test_what_systemd_passes(void **state)
{
    char pid[24];

    (void)state;
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    set_env("WATCHDOG_USEC", "30000000");
    set_env("WATCHDOG_PID", pid);
    assert_int_equal(notify_watchdog(), 30000);
    set_env("WATCHDOG_PID", "1");
    assert_int_equal(notify_watchdog(), 0);
    set_env("WATCHDOG_PID", NULL);
    set_env("WATCHDOG_USEC", "soon");
    assert_int_equal(notify_watchdog(), 0);
    set_env("WATCHDOG_USEC", NULL);
    assert_int_equal(notify_watchdog(), 0);

    set_env("LISTEN_PID", "1");
    set_env("LISTEN_FDS", "1");
    assert_int_equal(notify_listen_fds(), 0); /* not for us */
    assert_null(getenv("LISTEN_FDS"));
    set_env("LISTEN_PID", pid);
    set_env("LISTEN_FDS", "99999");
    assert_int_equal(notify_listen_fds(), 0);
    assert_int_equal(notify_listen_fds(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_lengths_that_cannot_be),
        cmocka_unit_test(test_invitations),
        cmocka_unit_test_setup_teardown(test_numbers_are_claimed_before_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_hedge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_block_no_numbers, setup, teardown),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_what_systemd_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
