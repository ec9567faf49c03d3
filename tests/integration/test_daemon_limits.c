/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that want too much: each is told or ended, others are served. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x
#define SETTINGS                                                                                   \
    "[limits]\nconnections = 40\nconnections_per_address = 20\nhandshakes = 100\n"                 \
    "requests = 60\nlookups = 20\nregistrations = 12\n"                                            \
    "[store]\nquota = 1M\n"

static int setup(void **state)
{
    (void)state;
    stage_up(SETTINGS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return stage_down();
}

static void test_connections_of_one_address(void **state)
{
    enum { MOST = 20 };
    static struct peer p[MOST + 5];
    unsigned open = 0;

    (void)state;
    for (int i = 0; i < MOST + 5; i++)
        open += peer_open(&p[i], stage_site.port) && peer_hello(&p[i]) == OK;
    assert_in_range(open, MOST - 2, MOST); /* those of the test before may still be there */
    for (int i = 0; i < MOST + 5; i++)
        peer_close(&p[i]);
    for (int i = 0; i < 200; i++) { /* the daemon hears of it a moment later */
        if (peer_open(&p[0], stage_site.port) && peer_hello(&p[0]) == OK)
            break;
        peer_close(&p[0]);
        usleep(20000);
    }
    assert_int_equal(actor_login(&p[0], &alice), OK);
    peer_close(&p[0]);
}

static void test_too_many_requests(void **state)
{
    Satchel__Status msg = SATCHEL__STATUS__INIT;
    uint8_t tid[16] = {1};
    unsigned rate = 0, none = 0;
    uint64_t ids[300];
    struct peer p;

    (void)state;
    stage_enter(&p, &bob);
    PEER_BYTES(msg.tid, tid);
    for (int i = 0; i < 300; i++) {
        PEER_ENV(env, STATUS, status, &msg);

        ids[i] = peer_send(&p, &env, NULL, 0);
    }
    for (int i = 0; i < 300; i++) {
        struct message *m = peer_wait(&p, ids[i]);

        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_ERROR);
        none += m->env->error->code == CODE(NOT_FOUND);
        if (m->env->error->code == CODE(RATE)) {
            assert_true(m->env->error->retry);
            assert_in_range(m->env->error->retry_after, 1, 1000);
            rate++;
        }
        message_free(m);
    }
    assert_int_equal(rate + none, 300);
    assert_true(none >= 60);
    assert_true(rate > 0);
    peer_close(&p);
    stage_assert_serves(); /* alice has a bucket of her own */
}

/* Each recipient counts, up to a quarter of the requests of a second. */
static void test_large_groups_cost_more(void **state)
{
    enum { GROUP = 40, OPENS = 40 };
    static struct uid uids[GROUP];
    static uint8_t ek[16] = {1}, key[16];
    Satchel__Recipient list[GROUP], *recipients[GROUP];
    Satchel__OpenTransfer msg = SATCHEL__OPEN_TRANSFER__INIT;
    unsigned rate = 0, none = 0;
    uint64_t ids[OPENS];
    struct peer p;

    (void)state;
    stage_enter(&p, &carol);
    for (int i = 0; i < GROUP; i++) {
        satchel__recipient__init(&list[i]);
        uids[i].b[0] = (uint8_t)(i + 1);
        if (i == 0)
            uids[i] = carol.u.uid;
        PEER_BYTES(list[i].user_id, uids[i].b);
        PEER_BYTES(list[i].ek_id, ek);
        list[i].role = i == 0 ? SATCHEL__ROLE__SENDER : SATCHEL__ROLE__RECIPIENT;
        recipients[i] = &list[i];
    }
    msg.n_recipients = GROUP;
    msg.recipients = recipients;
    msg.body_length = 4096;
    msg.created = p.time;
    msg.expires = p.time + 86400000;
    PEER_BYTES(msg.upload_key, key);
    for (int i = 0; i < OPENS; i++) {
        PEER_ENV(env, OPEN_TRANSFER, open_transfer, &msg);

        key[0]++;
        ids[i] = peer_send(&p, &env, NULL, 0);
    }
    for (int i = 0; i < OPENS; i++) {
        Satchel__Code code = peer_code(peer_wait(&p, ids[i]));

        none += code == CODE(NOT_FOUND);
        rate += code == CODE(RATE);
    }
    assert_int_equal(none + rate, OPENS);
    assert_true(none >= 3); /* 60 / 15, and what comes free meanwhile */
    assert_true(rate > 0);
    peer_close(&p);
}

static void test_too_many_lookups(void **state)
{
    Satchel__Lookup msg = SATCHEL__LOOKUP__INIT;
    Satchel__Code code = OK;
    unsigned n = 0;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    msg.who_case = SATCHEL__LOOKUP__WHO_USERNAME;
    msg.username = (char *)(uintptr_t) "bob";
    while (code == OK && n < 50) {
        PEER_ENV(env, LOOKUP, lookup, &msg);

        code = peer_ask(&p, &env);
        n++;
    }
    assert_int_equal(code, CODE(RATE));
    assert_in_range(n, 21, 25);
    peer_close(&p);
}

static void test_too_many_registrations(void **state)
{
    static char names[30][8];
    Satchel__Code code = OK;
    unsigned n = 0;
    struct peer p;

    (void)state;
    stage_greet(&p);
    while (code == OK && n < 30) {
        struct actor a;

        (void)snprintf(names[n], sizeof(names[n]), "u%u", n);
        actor_make(&a, names[n]);
        code = actor_register(&p, &a, NULL);
        actor_free(&a);
        n++;
    }
    assert_int_equal(code, CODE(RATE));
    assert_in_range(n, 9, 12); /* twelve an hour, three were used by the stage */
    peer_close(&p);
}

/* Requests and no reading: the daemon stops reading, and goes on when the peer does. */
static void test_a_flood_of_pings(void **state)
{
    enum { N = 20000 };
    Satchel__Ping ping = SATCHEL__PING__INIT;
    struct timeval soon = {.tv_usec = 200000};
    struct peer p;
    uint64_t sent = 0, got = 0;

    (void)state;
    stage_enter(&p, &alice);
    assert_int_equal(setsockopt(p.fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)), 0);
    for (; sent < N; sent++) {
        PEER_ENV(env, PING, ping, &ping);

        if (peer_send(&p, &env, NULL, 0) == 0)
            break;
    }
    stage_assert_serves();
    for (; got < sent; got++) {
        struct message *m = peer_next(&p);

        if (m == NULL)
            break;
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_DONE);
        message_free(m);
    }
    assert_true(got > 0);
    peer_close(&p);
}

/* One address that opens connections as fast as it can takes nothing from another. */
static void test_handshakes_of_one_address(void **state)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct peer p;

    (void)state;
    assert_int_equal(site_stop(&stage_site), 0);
    site_start(&stage_site, "[limits]\nconnections_per_address = 1000\nhandshakes = 200\n"
                            "handshakes_per_address = 20\n");
    to.sin_port = htons(stage_site.port);
    for (int i = 0; i < 400; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
        close(fd);
    }
    peer_from = 2;
    assert_true(peer_open(&p, stage_site.port));
    assert_int_equal(peer_hello(&p), OK);
    peer_close(&p);
    peer_from = 0;
    assert_int_equal(site_stop(&stage_site), 0);
    site_start(&stage_site, SETTINGS);
}

/* Uploads to somebody, of which no byte is ever sent, do not fill his box. */
static void test_uploads_that_never_end_block_nobody(void **state)
{
    const struct actor *who[] = {&alice, &carol}, *other[] = {&bob, &carol};
    struct parcel x[2], y;
    struct peer p;

    (void)state;
    parcel_make(&y, other, 2, 200000, 30);
    stage_enter(&p, &alice);
    parcel_make(&x[0], who, 2, 900000, 20);
    assert_int_equal(parcel_open(&p, &x[0]), OK); /* her own box is nearly full now */
    parcel_make(&x[1], who, 2, 900000, 21);
    assert_int_equal(parcel_open(&p, &x[1]), CODE(QUOTA));
    peer_close(&p);
    stage_enter(&p, &bob);
    assert_int_equal(parcel_deliver(&p, &y), OK);
    peer_close(&p);
    for (int i = 0; i < 2; i++)
        parcel_free(&x[i]);
    parcel_free(&y);
}

/* Shares that the daemon has computed so far. */
static unsigned long long computed(void)
{
    static const char name[] = "\"computed\":";
    char socket[96], out[4096];
    const char *at;

    (void)snprintf(socket, sizeof(socket), "%s/data/satcheld.sock", stage_site.dir);
    assert_int_equal(site_run(out, sizeof(out), site_bin("satchelctl"), "--socket", socket,
                              "--json", "status", NULL),
                     0);
    at = strstr(out, name);
    assert_non_null(at);
    return strtoull(at + sizeof(name) - 1, NULL, 10);
}

/* What nobody can get costs the daemon a look, neither cells nor a run of the network. */
static void test_what_nobody_can_get_costs_a_look(void **state)
{
    struct actor stranger;
    const struct actor *lost[] = {&alice, &stranger}, *good[] = {&alice, &bob};
    unsigned long long before;
    struct parcel w, x, y, z;
    struct peer p;

    (void)state;
    actor_make(&stranger, "stranger");
    parcel_make(&x, lost, 2, 1000, 40);
    parcel_make(&y, good, 2, 1050000, 41); /* more than a box holds */
    parcel_make(&z, good, 2, 1000, 42);
    parcel_make(&w, good, 2, 1000, 43);
    stage_enter(&p, &alice);
    before = computed();
    assert_int_equal(parcel_open(&p, &x), CODE(NOT_FOUND));
    assert_int_equal(parcel_open(&p, &y), CODE(QUOTA));
    assert_int_equal(computed(), before);
    assert_int_equal(parcel_open(&p, &z), OK);
    assert_int_equal(computed(), before + 2);
    /* A small one behind a good one is taken for good, once. */
    assert_int_equal(parcel_open(&p, &y), CODE(QUOTA));
    assert_int_equal(computed(), before + 2);
    assert_int_equal(parcel_open(&p, &w), OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(parcel_open(&p, &x), CODE(NOT_FOUND));
        assert_int_equal(computed(), before + 6);
    }
    peer_close(&p);
    parcel_free(&w);
    parcel_free(&x);
    parcel_free(&y);
    parcel_free(&z);
    actor_free(&stranger);
}

/* The box of 1 MiB takes one transfer of 600,000 bytes, and another when the first is gone. */
static void test_a_full_mailbox(void **state)
{
    const struct actor *who[] = {&bob};
    Satchel__Delete msg = SATCHEL__DELETE__INIT;
    struct parcel x, y;
    struct peer p;

    (void)state;
    stage_enter(&p, &bob);
    parcel_make(&x, who, 1, 600000, 10);
    parcel_make(&y, who, 1, 600000, 11);
    x.role[0] = y.role[0] = SATCHEL__ROLE__BOTH;
    assert_int_equal(parcel_deliver(&p, &x), OK);
    assert_int_equal(parcel_open(&p, &y), CODE(QUOTA));
    PEER_BYTES(msg.tid, x.header.tid.b);
    for (int folder = 0; folder < 2; folder++) {
        PEER_ENV(env, DELETE, delete_, &msg);

        msg.folder = folder == 0 ? SATCHEL__FOLDER__INBOX : SATCHEL__FOLDER__SENT;
        assert_int_equal(peer_ask(&p, &env), OK);
    }
    assert_int_equal(parcel_deliver(&p, &y), OK);
    peer_close(&p);
    parcel_free(&x);
    parcel_free(&y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_of_one_address),
        cmocka_unit_test(test_too_many_requests),
        cmocka_unit_test(test_large_groups_cost_more),
        cmocka_unit_test(test_too_many_lookups),
        cmocka_unit_test(test_too_many_registrations),
        cmocka_unit_test(test_a_flood_of_pings),
        cmocka_unit_test(test_what_nobody_can_get_costs_a_look),
        cmocka_unit_test(test_uploads_that_never_end_block_nobody),
        cmocka_unit_test(test_a_full_mailbox),
        cmocka_unit_test(test_handshakes_of_one_address),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
