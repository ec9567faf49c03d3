/* SPDX-License-Identifier: Apache-2.0 */
/* tls_engine: two engines joined in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "tls_fix.h"

/* ---- the buffers of OpenSSL ---- */

enum { LARGE = 16000 };

static size_t large_taken; /* blocks as large as a record, since the test set it to 0 */
static long large_held;    /* of those, in use; each carries its size before it */

union block {
    size_t len;
    max_align_t align;
};

static void count(size_t len, int by)
{
    if (len < LARGE)
        return;
    large_held += by;
    large_taken += by > 0;
}

static void *ssl_malloc(size_t len, const char *file, int line)
{
    union block *b = malloc(sizeof(*b) + len);

    (void)file;
    (void)line;
    if (b == NULL)
        return NULL;
    b->len = len;
    count(len, 1);
    return b + 1;
}

static void ssl_free(void *p, const char *file, int line)
{
    union block *b = p;

    (void)file;
    (void)line;
    if (b == NULL)
        return;
    count(b[-1].len, -1);
    free(b - 1);
}

static void *ssl_realloc(void *p, size_t len, const char *file, int line)
{
    union block *old = p;
    void *fresh = ssl_malloc(len, file, line);

    if (fresh != NULL && old != NULL)
        memcpy(fresh, p, old[-1].len < len ? old[-1].len : len);
    if (fresh != NULL)
        ssl_free(p, file, line);
    return fresh;
}

/* ---- two engines ---- */

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 17);
}

static void check_pattern(const struct buf *plain, size_t len)
{
    assert_int_equal(plain->len, len);
    for (size_t i = 0; i < len; i++)
        if (plain->data[i] != pattern(i))
            fail_msg("byte %zu differs", i);
}

static const size_t steps[] = {1, 100, 65536, SIZE_MAX};
enum { STEPS = sizeof(steps) / sizeof(steps[0]), BIG = 300000 };

static void send_runs(size_t step, const size_t *lens, size_t n)
{
    uint8_t *data = malloc(BIG);
    struct tls_run runs[8];
    struct pair p;
    size_t at = 0;

    assert_non_null(data);
    for (size_t i = 0; i < BIG; i++)
        data[i] = pattern(i);
    assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, step));
    for (size_t i = 0; i < n; at += lens[i++])
        runs[i] = (struct tls_run){data + at, lens[i]};
    assert_int_equal(tls_engine_write(p.client.engine, runs, n, NULL), ERR_OK);
    free(data); /* the runs were only lent */
    pair_run(&p, step);
    assert_int_equal(p.server.rc, ERR_OK);
    check_pattern(&p.server.plain, at);
    pair_close(&p);
}

static void test_round_trip(void **state)
{
    static const size_t cases[][4] = {
        {1, 0, 0, 0},         {0, 5, 0, 7},           {58, 262400, 0, 0}, {16384, 16384, 1, 0},
        {16383, 1, 16385, 2}, {100, 16284, 32768, 9}, {0, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t k = 0; k < STEPS; k++)
            send_runs(steps[k], cases[i], 4);
}

/* A head of 58 bytes and its tail fill their records: 17, the last one partly. */
static void test_records_are_full(void **state)
{
    static uint8_t head[58], tail[262400];
    struct tls_run runs[] = {{head, sizeof(head)}, {tail, sizeof(tail)}};
    size_t at = 0, records = 0;
    struct pair p;

    (void)state;
    assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_int_equal(tls_engine_write(p.server.engine, runs, 2, NULL), ERR_OK);
    pair_collect(&p.server);
    while (at + 5 <= p.server.wire.len) {
        at += 5 + (size_t)(p.server.wire.data[at + 3] << 8 | p.server.wire.data[at + 4]);
        records++;
    }
    assert_int_equal(at, p.server.wire.len);
    assert_int_equal(records, 17);
    pair_close(&p);
}

/* A buffer for many records at hand is taken once and not for each; at rest there is none. */
static void test_buffers(void **state)
{
    static uint8_t data[20 * 16384];
    struct tls_run run = {data, sizeof(data)};
    long before;
    size_t half;
    struct pair p;

    (void)state;
    assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    before = large_held;
    assert_int_equal(tls_engine_write(p.client.engine, &run, 1, NULL), ERR_OK);
    pair_collect(&p.client);
    half = p.client.wire.len / 2;

    large_taken = 0;
    pair_deliver(&p.server, p.client.wire.data, half, half);
    assert_in_range(large_taken, 1, 2);
    assert_int_equal(large_held, before);
    pair_deliver(&p.server, p.client.wire.data + half, 1000, 1000);
    assert_int_equal(large_held, before + 1); /* within a record */
    pair_deliver(&p.server, p.client.wire.data + half + 1000, p.client.wire.len - half - 1000, 777);
    assert_int_equal(p.server.rc, ERR_OK);
    assert_int_equal(p.server.plain.len, sizeof(data));
    assert_int_equal(large_held, before);
    pair_close(&p);
}

static void test_both_directions(void **state)
{
    struct tls_run ping = {"ping", 4}, pong = {"pong!", 5};
    struct pair p;

    (void)state;
    assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, 1));
    assert_int_equal(tls_engine_write(p.client.engine, &ping, 1, NULL), ERR_OK);
    assert_int_equal(tls_engine_write(p.server.engine, &pong, 1, NULL), ERR_OK);
    pair_run(&p, 1);
    assert_memory_equal(p.server.plain.data, "ping", 4);
    assert_memory_equal(p.client.plain.data, "pong!", 5);
    pair_close(&p);
}

static void test_agreed_parameters(void **state)
{
    struct tls_verify collect = {.mode = TLS_VERIFY_COLLECT, .host = "localhost"};
    uint8_t a[TLS_ENGINE_BINDING_BYTES], b[TLS_ENGINE_BINDING_BYTES], c[TLS_ENGINE_BINDING_BYTES];
    struct pair p;

    (void)state;
    assert_int_equal(pair_open(&p, &tls_fix_keys, &collect), ERR_OK);
    assert_null(tls_engine_peer_pin(p.client.engine));
    assert_int_equal(tls_engine_exporter(p.client.engine, TLS_ENGINE_BINDING, a, NULL),
                     ERR_BADSTATE);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_true(pin_equal(tls_engine_peer_pin(p.client.engine), &tls_fix_keys.pin));
    assert_null(tls_engine_peer_pin(p.server.engine));
    /* Nothing follows the server's flight: no tickets. */
    assert_int_equal(tls_engine_pending(p.server.engine), 0);

    assert_int_equal(tls_engine_exporter(p.client.engine, TLS_ENGINE_BINDING, a, NULL), ERR_OK);
    assert_int_equal(tls_engine_exporter(p.server.engine, TLS_ENGINE_BINDING, b, NULL), ERR_OK);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(tls_engine_exporter(p.server.engine, "EXPORTER-Other", c, NULL), ERR_OK);
    assert_memory_not_equal(a, c, sizeof(a));
    pair_close(&p);

    assert_int_equal(pair_open(&p, &tls_fix_keys, &collect), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_int_equal(tls_engine_exporter(p.client.engine, TLS_ENGINE_BINDING, c, NULL), ERR_OK);
    assert_memory_not_equal(a, c, sizeof(a));
    pair_close(&p);
}

/* ---- input, output, end ---- */

static void test_keep(void **state)
{
    static uint8_t data[40000];
    struct tls_run run = {data, sizeof(data)};
    uint8_t part[10000];
    struct buf wire = {0};
    struct pair p;
    size_t got = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_int_equal(tls_engine_write(p.client.engine, &run, 1, NULL), ERR_OK);
    tls_engine_swap_out(p.client.engine, &wire);
    assert_int_equal(tls_engine_feed(p.server.engine, wire.data, wire.len, NULL), ERR_OK);
    assert_int_equal(tls_engine_read(p.server.engine, part, 100, &got, NULL), ERR_OK);
    buf_put(&p.server.plain, part, got);
    assert_true(tls_engine_unread(p.server.engine) > 20000);
    assert_int_equal(tls_engine_feed(p.server.engine, "x", 1, NULL), ERR_LIMIT);
    assert_int_equal(tls_engine_keep(p.server.engine, NULL), ERR_OK);
    memset(wire.data, 0xee, wire.len);
    buf_free(&wire);
    assert_int_equal(tls_engine_keep(p.server.engine, NULL), ERR_OK);
    while (tls_engine_read(p.server.engine, part, sizeof(part), &got, NULL) == ERR_OK)
        buf_put(&p.server.plain, part, got);
    assert_int_equal(tls_engine_unread(p.server.engine), 0);
    check_pattern(&p.server.plain, sizeof(data));
    pair_close(&p);
}

static void test_close_notify(void **state)
{
    struct tls_run run = {"last words", 10};
    struct pair p;
    size_t len;

    (void)state;
    assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_int_equal(tls_engine_write(p.client.engine, &run, 1, NULL), ERR_OK);
    tls_engine_shutdown(p.client.engine);
    pair_collect(&p.client);
    len = p.client.wire.len;
    tls_engine_shutdown(p.client.engine); /* once is enough */
    pair_collect(&p.client);
    assert_int_equal(p.client.wire.len, len);
    pair_run(&p, 1);
    assert_int_equal(p.server.rc, ERR_CLOSED);
    assert_int_equal(p.server.plain.len, 10);

    tls_engine_shutdown(p.server.engine); /* and back */
    assert_true(tls_engine_pending(p.server.engine) > 0);
    pair_run(&p, 1);
    assert_int_equal(p.client.rc, ERR_CLOSED);
    pair_close(&p);
}

static void test_write_too_early(void **state)
{
    struct tls_run run = {"x", 1};
    struct pair p;

    (void)state;
    assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
    assert_int_equal(tls_engine_write(p.client.engine, &run, 1, NULL), ERR_BADSTATE);
    assert_true(pair_shake(&p, SIZE_MAX)); /* no harm done */
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),        cmocka_unit_test(test_records_are_full),
        cmocka_unit_test(test_buffers),           cmocka_unit_test(test_both_directions),
        cmocka_unit_test(test_agreed_parameters), cmocka_unit_test(test_keep),
        cmocka_unit_test(test_close_notify),      cmocka_unit_test(test_write_too_early),
    };

    if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, tls_fix_setup, tls_fix_teardown);
}
