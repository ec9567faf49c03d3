/* SPDX-License-Identifier: Apache-2.0 */
/* Restarts, kills, expiry, draining, reloading, socket activation. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "common/net/pin.h"
#include "common/net/tls_cert.h"
#include "tests/integration/stage.h"

#define CODE(x)  SATCHEL__CODE__##x
#define SETTINGS "[limits]\nmin_lifetime = 1s\n"

static int setup(void **state)
{
    (void)state;
    stage_up(SETTINGS);
    return 0;
}

static void restart(void)
{
    assert_int_equal(site_stop(&stage_site), 0);
    site_start(&stage_site, SETTINGS);
}

/* ---- restarts ---- */

static void test_everything_is_there_after_a_restart(void **state)
{
    uint8_t before[SHARE_LEN], after[SHARE_LEN];
    struct parcel x, y;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    stage_parcel(&x, 300000, 1);
    stage_parcel(&y, 600000, 2);
    assert_int_equal(parcel_deliver(&p, &x), OK);
    assert_int_equal(parcel_open(&p, &y), OK);
    parcel_seal_body(&y);
    assert_int_equal(parcel_put(&p, &y, 1), OK);
    peer_close(&p);
    stage_enter(&p, &bob);
    assert_int_equal(parcel_release(&p, &x, before), OK);
    peer_close(&p);
    restart();
    stage_enter(&p, &bob);
    assert_int_equal(parcel_release(&p, &x, after), OK);
    assert_memory_equal(before, after, SHARE_LEN);
    assert_int_equal(parcel_receive(&p, &x, 1), OK);
    peer_close(&p);
    stage_enter(&p, &alice); /* the upload goes on */
    assert_int_equal(parcel_open(&p, &y), OK);
    assert_int_equal(y.stored, 1);
    assert_int_equal(parcel_put(&p, &y, 0), OK);
    assert_int_equal(parcel_put(&p, &y, 2), OK);
    assert_int_equal(parcel_seal(&p, &y), OK);
    peer_close(&p);
    parcel_free(&x);
    parcel_free(&y);
}

/* What was acknowledged survives SIGKILL; what was not is there whole or not at all. */
static void test_killed_at_awkward_moments(void **state)
{
    struct peer p;

    (void)state;
    for (uint32_t round = 0; round < 6; round++) {
        struct parcel x;
        uint32_t acked = 0;
        uint64_t seal = 0;
        Satchel__Code code;

        stage_enter(&p, &alice);
        stage_parcel(&x, 1500000, 10 + round);
        assert_int_equal(parcel_open(&p, &x), OK);
        parcel_seal_body(&x);
        for (; acked < round && acked < x.pieces; acked++)
            assert_int_equal(parcel_put(&p, &x, acked), OK);
        for (uint32_t i = acked; i < x.pieces; i++) /* and some that nobody has answered */
            (void)parcel_send_piece(&p, &x, i);
        if (round % 2 == 1)
            seal = parcel_send_seal(&p, &x);
        if (round == 5)
            assert_int_equal(peer_code(peer_wait(&p, seal)), OK);
        site_kill(&stage_site);
        peer_close(&p);
        site_start(&stage_site, SETTINGS);

        stage_enter(&p, &bob);
        code = parcel_receive(&p, &x, 1);
        assert_true(code == OK || code == CODE(NOT_FOUND));
        if (round == 5)
            assert_int_equal(code, OK); /* the seal was answered */
        peer_close(&p);
        stage_enter(&p, &alice);
        if (code != OK) {
            assert_int_equal(parcel_open(&p, &x), OK);
            assert_true(x.stored >= acked);
            assert_int_equal(parcel_put_all(&p, &x), OK);
            assert_int_equal(parcel_seal(&p, &x), OK);
        }
        peer_close(&p);
        parcel_free(&x);
    }
}

/* ---- expiry ---- */

static struct message *get(struct peer *p, const struct parcel *x)
{
    Satchel__GetTransfer msg = SATCHEL__GET_TRANSFER__INIT;
    PEER_ENV(env, GET_TRANSFER, get_transfer, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    return peer_call(p, &env);
}

static void test_an_expired_transfer(void **state)
{
    Satchel__Transfer *t;
    struct message *m;
    struct parcel x;
    struct peer p, b;

    (void)state;
    stage_enter(&p, &alice);
    stage_enter(&b, &bob);
    stage_parcel(&x, 10, 50);
    x.header.created = p.time;
    x.header.expires = p.time + 4000;
    assert_int_equal(parcel_deliver(&p, &x), OK);
    assert_int_equal(parcel_release(&b, &x, NULL), OK);
    for (int i = 0; i < 100; i++) {
        if (parcel_release(&b, &x, NULL) == CODE(EXPIRED))
            break;
        usleep(100000);
    }
    assert_int_equal(parcel_release(&b, &x, NULL), CODE(EXPIRED));
    m = get(&b, &x); /* the row stays, without metadata and share */
    assert_non_null(m);
    t = m->env->transfer_reply->transfer;
    assert_int_equal(t->state, SATCHEL__SLOT_STATE__SLOT_EXPIRED);
    assert_int_equal(t->metadata.len, 0);
    assert_int_equal(t->share_meta.len, 0);
    assert_int_equal(t->header.len, x.header_raw.len);
    message_free(m);
    assert_true(stage_status_shows("\"erased\":3")); /* alice's, bob's and carol's cells */
    assert_int_equal(parcel_release(&b, &x, NULL), CODE(EXPIRED));
    assert_int_equal(peer_code(peer_wait(&b, parcel_ask_pieces(&b, &x, 0, 1))), CODE(NOT_FOUND));
    peer_close(&b);
    peer_close(&p);
    restart();
    stage_enter(&b, &bob);
    assert_int_equal(parcel_release(&b, &x, NULL), CODE(EXPIRED));
    peer_close(&b);
    parcel_free(&x);
}

static void test_an_upload_that_expires_before_its_seal(void **state)
{
    struct parcel x;
    struct peer p;
    Satchel__Code code = CODE(BAD_STATE);

    (void)state;
    stage_enter(&p, &alice);
    stage_parcel(&x, 300000, 51);
    x.header.created = p.time;
    x.header.expires = p.time + 1500;
    assert_int_equal(parcel_open(&p, &x), OK);
    parcel_seal_body(&x);
    for (int i = 0; i < 100 && code == CODE(BAD_STATE); i++) {
        code = parcel_seal(&p, &x); /* pieces are missing, until its time is over */
        usleep(50000);
        if (i == 40)
            assert_int_equal(parcel_put_all(&p, &x), OK);
    }
    assert_int_equal(code, CODE(EXPIRED));
    peer_close(&p);
    parcel_free(&x);
}

/* ---- draining ---- */

static void test_drain_finishes_what_is_under_way(void **state)
{
    Satchel__Ping ping = SATCHEL__PING__INIT;
    PEER_ENV(env, PING, ping, &ping);
    struct parcel x;
    struct message *m;
    struct peer p, idle;
    uint64_t id;

    (void)state;
    stage_enter(&p, &alice);
    stage_parcel(&x, 3000000, 60);
    assert_int_equal(parcel_deliver(&p, &x), OK);
    peer_close(&p);
    stage_enter(&idle, &carol);
    assert_int_equal(peer_ask(&idle, &env), OK);
    stage_enter(&p, &bob);
    id = parcel_ask_pieces(&p, &x, 0, 12);
    assert_int_equal(parcel_take_piece(&p, &x, id, 0), OK);
    assert_int_equal(kill(stage_site.pid, SIGTERM), 0);

    m = peer_next(&idle);
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_BYE);
    assert_int_equal(m->env->id, 0);
    assert_true(m->env->bye->retry_after > 0);
    message_free(m);
    assert_true(peer_ended(&idle));
    peer_close(&idle);

    for (uint32_t i = 1; i < 12; i++)
        assert_int_equal(parcel_take_piece(&p, &x, id, i), OK);
    assert_int_equal(peer_code(peer_wait(&p, id)), OK);
    m = peer_next(&p); /* when it has rested */
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_BYE);
    message_free(m);
    assert_true(peer_ended(&p));
    peer_close(&p);
    assert_int_equal(site_wait(&stage_site), 0);
    assert_false(peer_open(&p, stage_site.port));
    site_start(&stage_site, SETTINGS);
    parcel_free(&x);
}

/* An upload that moves ends with its seal; nothing new begins. */
static void test_drain_lets_an_upload_end(void **state)
{
    struct parcel x, y;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    stage_parcel(&x, 1000000, 61);
    stage_parcel(&y, 10, 62);
    assert_int_equal(parcel_open(&p, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(parcel_put(&p, &x, 0), OK);
    assert_int_equal(kill(stage_site.pid, SIGTERM), 0);
    assert_true(site_logged(&stage_site, "event=draining"));
    assert_int_equal(parcel_open(&p, &y), CODE(DRAINING));
    for (uint32_t i = 1; i < x.pieces; i++)
        assert_int_equal(parcel_put(&p, &x, i), OK);
    assert_int_equal(parcel_seal(&p, &x), OK);
    peer_close(&p);
    assert_int_equal(site_wait(&stage_site), 0);
    site_start(&stage_site, SETTINGS);
    stage_enter(&p, &bob);
    assert_int_equal(parcel_receive(&p, &x, 1), OK);
    peer_close(&p);
    parcel_free(&x);
    parcel_free(&y);
}

/* ---- reloading ---- */

static void test_reload(void **state)
{
    struct peer p, old;
    uint32_t before;

    (void)state;
    stage_enter(&old, &alice);
    before = old.limits.max_recipients;
    site_reload(&stage_site, "[limits]\nmin_lifetime = 1s\nmax_recipients = 7\n", "event=reloaded");
    stage_enter(&p, &alice);
    assert_int_equal(p.limits.max_recipients, 7);
    assert_int_not_equal(before, 7);
    peer_close(&p);
    site_reload(&stage_site, "[limits]\nmax_recipients = 9\nnonsense = 1\n", "event=reload_failed");
    stage_enter(&p, &alice);
    assert_int_equal(p.limits.max_recipients, 7); /* all or nothing */
    assert_true(site_logged(&stage_site, "unknown key 'nonsense'"));
    peer_close(&p);
    {
        Satchel__Ping ping = SATCHEL__PING__INIT;
        PEER_ENV(env, PING, ping, &ping);

        assert_int_equal(peer_ask(&old, &env), OK); /* nobody was dropped */
    }
    peer_close(&old);
    site_reload(&stage_site, "registration = closed\n" SETTINGS, "event=reloaded");
    restart();
}

static void pin_of_peer(struct peer *p, struct pin *ret)
{
    X509 *cert = SSL_get1_peer_certificate(p->ssl);

    assert_non_null(cert);
    assert_int_equal(pin_of_cert(ret, cert, NULL), ERR_OK);
    X509_free(cert);
}

static void test_another_certificate(void **state)
{
    const char *names[] = {"localhost"};
    struct secret key = {0};
    struct buf cert = {0};
    char text[512], cert_path[96], key_path[96];
    struct pin one, two;
    struct peer p;

    (void)state;
    stage_greet(&p);
    pin_of_peer(&p, &one);
    peer_close(&p);
    assert_int_equal(tls_cert_make("other", names, 1, &key, &cert, NULL), ERR_OK);
    (void)snprintf(cert_path, sizeof(cert_path), "%s/other.crt", stage_site.dir);
    (void)snprintf(key_path, sizeof(key_path), "%s/other.key", stage_site.dir);
    assert_int_equal(fs_replace(cert_path, cert.data, cert.len, 0644, NULL), ERR_OK);
    assert_int_equal(fs_replace(key_path, key.data, key.len, 0600, NULL), ERR_OK);
    (void)snprintf(text, sizeof(text), SETTINGS "[tls]\ncertificate = %s\nkey = %s/missing\n",
                   cert_path, stage_site.dir);
    site_reload(&stage_site, text, "event=reload_failed");
    (void)snprintf(text, sizeof(text), SETTINGS "[tls]\ncertificate = %s\nkey = %s\n", cert_path,
                   key_path);
    site_reload(&stage_site, text, "event=reloaded");
    stage_greet(&p);
    pin_of_peer(&p, &two);
    assert_false(pin_equal(&one, &two));
    peer_close(&p);
    secret_free(&key);
    buf_free(&cert);
    restart();
}

/* ---- sockets from systemd ---- */

static void test_socket_activation(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0), flags;
    struct peer p;

    (void)state;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    flags = fcntl(fd, F_GETFD);
    assert_int_equal(fcntl(fd, F_SETFD, flags | FD_CLOEXEC), 0);
    assert_int_equal(site_stop(&stage_site), 0);
    site_start_with_socket(&stage_site, SETTINGS, fd);
    assert_int_equal(stage_site.port, ntohs(at.sin_port));
    stage_enter(&p, &alice);
    peer_close(&p);
    close(fd);
    restart();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_there_after_a_restart),
        cmocka_unit_test(test_killed_at_awkward_moments),
        cmocka_unit_test(test_an_expired_transfer),
        cmocka_unit_test(test_an_upload_that_expires_before_its_seal),
        cmocka_unit_test(test_drain_finishes_what_is_under_way),
        cmocka_unit_test(test_drain_lets_an_upload_end),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_another_certificate),
        cmocka_unit_test(test_socket_activation),
    };

    return cmocka_run_group_tests(tests, setup, stage_teardown);
}
