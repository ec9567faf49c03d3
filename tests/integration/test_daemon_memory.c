/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's private memory stays bounded: while 1 GiB passes, and while
 * many who ask for much read nothing; and those leave enough of it to others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/net/frame.h"
#include "tests/integration/parcel.h"
#include "tests/integration/site.h"

#define OK SATCHEL__CODE__CODE_NONE

/* Sanitizers keep freed memory and shadow all of it: then only the behaviour is tested. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MIB = 64, LIMIT_KIB = 1 << 30, SLOW_PEERS = 8 };
#else
enum { MIB = 1024, LIMIT_KIB = 96 * 1024, SLOW_PEERS = 64 };
#endif

enum { HALF_PEERS = 180 }; /* what they send is more than queued_total */
enum { FEW_MIB = 8, DEAF_PEERS = 3 * FEW_MIB };

static struct site site;
static struct actor alice, bob;
static struct parcel big; /* from alice to bob, once test_a_large_transfer() was through */
static long most;

static void watch(void)
{
    long kib = site_private_kib(&site);

    if (kib > most)
        most = kib;
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int setup(void **state)
{
    struct peer p;

    (void)state;
    actor_make(&alice, "alice");
    actor_make(&bob, "bob");
    site_make(&site);
    site_start(&site, NULL);
    assert_true(peer_open(&p, site.port));
    assert_int_equal(peer_hello(&p), OK);
    assert_int_equal(actor_register(&p, &alice, NULL), OK);
    assert_int_equal(actor_register(&p, &bob, NULL), OK);
    peer_close(&p);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (site.pid != 0)
        assert_int_equal(site_stop(&site), 0);
    site_remove(&site);
    actor_free(&alice);
    actor_free(&bob);
    parcel_free(&big);
    return 0;
}

/* Keep a full window under way. */
static void send_pieces(struct peer *p, const struct parcel *x)
{
    uint64_t ids[64];
    uint32_t window = p->limits.window, acked = 0;

    assert_true(window <= 64);
    for (uint32_t i = 0; i < x->pieces; i++) {
        if (i - acked == window) {
            assert_int_equal(peer_code(peer_wait(p, ids[acked % window])), OK);
            acked++;
        }
        ids[i % window] = parcel_send_piece(p, x, i);
        assert_true(ids[i % window] != 0);
        if (i % 64 == 0)
            watch();
    }
    for (; acked < x->pieces; acked++)
        assert_int_equal(peer_code(peer_wait(p, ids[acked % window])), OK);
}

static void get_pieces(struct peer *p, const struct parcel *x)
{
    uint32_t window = p->limits.window;
    uint64_t ids[2] = {parcel_ask_pieces(p, x, 0, window), 0};

    for (uint32_t first = 0, turn = 0; first < x->pieces; first += window, turn ^= 1) {
        uint32_t count = x->pieces - first < window ? x->pieces - first : window;
        uint32_t next = first + window;

        if (next < x->pieces)
            ids[turn ^ 1] = parcel_ask_pieces(
                p, x, next, x->pieces - next < window ? x->pieces - next : window);
        for (uint32_t i = first; i < first + count; i++)
            assert_int_equal(parcel_take_piece(p, x, ids[turn], i), OK);
        assert_int_equal(peer_code(peer_wait(p, ids[turn])), OK);
        watch();
    }
}

static void test_a_large_transfer(void **state)
{
    const struct actor *who[] = {&alice, &bob};
    struct peer a, b;
    double start;

    (void)state;
    actor_enter(&a, site.port, &alice);
    actor_enter(&b, site.port, &bob);
    parcel_make(&big, who, 2, (uint64_t)MIB << 20, 1);
    assert_int_equal(parcel_open(&a, &big), OK);
    parcel_fake_body(&big);
    start = seconds();
    send_pieces(&a, &big);
    assert_int_equal(parcel_seal(&a, &big), OK);
    print_message("sent %d MiB in %.2f s\n", MIB, seconds() - start);
    assert_int_equal(parcel_release(&b, &big, NULL), OK);
    start = seconds();
    get_pieces(&b, &big);
    print_message("got it in %.2f s; private memory at most %ld KiB\n", seconds() - start, most);
    assert_true(most <= LIMIT_KIB);
    peer_close(&a);
    peer_close(&b);
}

/* Each asks for all it may and reads nothing. */
static void test_peers_that_do_not_read(void **state)
{
    static struct peer p[SLOW_PEERS];
    struct timespec rest = {.tv_nsec = 100000000};

    (void)state;
    most = 0;
    for (int i = 0; i < SLOW_PEERS; i++) {
        actor_enter(&p[i], site.port, &bob);
        for (int k = 0; k < 60; k++)
            (void)parcel_ask_pieces(&p[i], &big, 0, p[i].limits.window);
    }
    for (int i = 0; i < 20; i++) {
        (void)nanosleep(&rest, NULL);
        watch();
    }
    print_message("%d peers that do not read: %ld KiB\n", SLOW_PEERS, most);
    assert_true(most <= 2 * (long)LIMIT_KIB);
    for (int i = 0; i < SLOW_PEERS; i++)
        peer_close(&p[i]);
    actor_enter(&p[0], site.port, &bob); /* it still serves */
    get_pieces(&p[0], &big);
    peer_close(&p[0]);
}

/* Requests that take little on the wire and much in memory. */
static void test_messages_that_grow(void **state)
{
    static uint8_t head[FRAME_HEAD_MAX];
    static struct peer p[SLOW_PEERS];
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__GetPieces get = SATCHEL__GET_PIECES__INIT;
    struct timespec rest = {.tv_nsec = 100000000};
    size_t len;

    (void)state;
    most = 0;
    get.tid.data = big.header.tid.b;
    get.tid.len = sizeof(big.header.tid.b);
    env.body_case = SATCHEL__ENVELOPE__BODY_GET_PIECES;
    env.get_pieces = &get;
    for (int i = 0; i < SLOW_PEERS; i++) {
        actor_enter(&p[i], site.port, &bob);
        get.count = p[i].limits.window;
        for (int k = 0; k < 60; k++) {
            env.id = 1000 + (uint64_t)k;
            len = satchel__envelope__pack(&env, head);
            for (; len + 3 <= sizeof(head); len += 3)
                memcpy(head + len, "\xd0\x05", 3); /* field 90, which nobody knows, is 0 */
            if (!peer_frame(&p[i], head, len, NULL, 0))
                break;
        }
    }
    for (int i = 0; i < 10; i++) {
        (void)nanosleep(&rest, NULL);
        watch();
    }
    print_message("%d peers whose messages grow: %ld KiB\n", SLOW_PEERS, most);
    assert_true(most <= 2 * (long)LIMIT_KIB);
    for (int i = 0; i < SLOW_PEERS; i++)
        peer_close(&p[i]);
    actor_enter(&p[0], site.port, &bob); /* it still serves */
    get_pieces(&p[0], &big);
    peer_close(&p[0]);
}

/* Each sends most of a piece, and then nothing: what they hold together stays under the limit. */
static void test_pieces_that_never_end(void **state)
{
    static uint8_t tail[200000];
    static struct peer p[HALF_PEERS];
    uint8_t prefix[FRAME_PREFIX];

    (void)state;
    assert_int_equal(frame_prefix(prefix, 10, FRAME_TAIL_MAX, NULL), ERR_OK);
    for (int i = 0; i < HALF_PEERS; i++) {
        actor_enter(&p[i], site.port, i % 2 == 0 ? &alice : &bob);
        assert_true(peer_write(&p[i], prefix, sizeof(prefix)));
        assert_true(peer_write(&p[i], tail, 10));
        (void)peer_write(&p[i], tail, sizeof(tail)); /* the first may be gone already */
    }
    assert_true(site_logged(&site, "event=slow_peers_dropped"));
    for (int i = 0; i < HALF_PEERS; i++)
        peer_close(&p[i]);
    actor_enter(&p[0], site.port, &bob); /* it still serves */
    get_pieces(&p[0], &big);
    peer_close(&p[0]);
}

/* ---- what one user may have of it ---- */

/* Bytes under way, of all connections. */
static unsigned long long under_way(void)
{
    static const char name[] = "\"queued\":";
    char socket[96], out[4096];
    const char *at;

    (void)snprintf(socket, sizeof(socket), "%s/data/satcheld.sock", site.dir);
    assert_int_equal(site_run(out, sizeof(out), site_bin("satchelctl"), "--socket", socket,
                              "--json", "status", NULL),
                     0);
    at = strstr(out, name);
    assert_non_null(at);
    return strtoull(at + sizeof(name) - 1, NULL, 10);
}

/* Wait until ${least} to ${most_bytes} bytes are under way; false: it does not come to that. */
static bool comes_to(unsigned long long least, unsigned long long most_bytes)
{
    struct timespec rest = {.tv_nsec = 100000000};
    unsigned long long n = 0;

    for (int i = 0; i < 150; i++) {
        n = under_way();
        if (n >= least && n <= most_bytes)
            return true;
        (void)nanosleep(&rest, NULL);
    }
    print_message("%llu bytes are under way\n", n);
    return false;
}

/* Wait until no more and no less is under way for a while. */
static unsigned long long settled(void)
{
    struct timespec rest = {.tv_nsec = 300000000};
    unsigned long long before = 0, n = under_way();

    for (int i = 0; i < 50 && n != before; i++) {
        before = n;
        (void)nanosleep(&rest, NULL);
        n = under_way();
    }
    assert_true(n == before);
    return n;
}

static void ask_for_much(struct peer *p, const struct actor *who)
{
    actor_enter(p, site.port, who);
    for (int k = 0; k < 20; k++)
        (void)parcel_ask_pieces(p, &big, 0, p->limits.window);
}

/*
 * However many connections of one user hold what they can, another user has several pieces under
 * way at once on a connection, not one after the other.
 */
static void test_one_user_does_not_hold_all(void **state)
{
    static struct peer deaf[DEAF_PEERS];
    struct peer a, b;
    unsigned long long held;

    (void)state;
    assert_int_equal(site_stop(&site), 0);
    site_start(&site, "[limits]\nqueued_total = 8M\nqueued = 4M\n[timeouts]\nstall = 10m\n");
    for (int i = 0; i < DEAF_PEERS; i++)
        ask_for_much(&deaf[i], &bob);
    assert_true(comes_to((FEW_MIB / 2) << 20, UINT64_MAX));
    held = settled();
    ask_for_much(&a, &alice); /* nor does she read, so that it can be seen */
    assert_true(comes_to(held + 2 * FRAME_TAIL_MAX, UINT64_MAX));
    actor_enter(&b, site.port, &alice);
    get_pieces(&b, &big);
    for (int i = 0; i < DEAF_PEERS; i++)
        peer_close(&deaf[i]);
    peer_close(&a);
    peer_close(&b);
    assert_true(comes_to(0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_large_transfer),
        cmocka_unit_test(test_peers_that_do_not_read),
        cmocka_unit_test(test_messages_that_grow),
        cmocka_unit_test(test_pieces_that_never_end),
        cmocka_unit_test(test_one_user_does_not_hold_all),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
