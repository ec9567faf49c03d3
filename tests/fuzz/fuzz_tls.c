/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS engine and a hostile peer.  The input: 1 byte what the peer does, 1
 * byte the size of portions (0: all at once), then
 *
 *     RAW      the first bytes that the peer sends
 *     SHAKE    changes to an honest handshake: u8 flight, u16 place, u8 bits
 *     AFTER    bytes that follow an honest handshake
 *     RECORDS  u8 count, as many times (u8 what, u8 which record), then bytes
 *              that an honest peer sends in records which are then changed
 *
 * However it goes, nothing comes out that the honest peer has not sent.
 */
#include <string.h>

#include "net_pair.h"
#include "tests/fuzz/fuzz.h"

enum mode { RAW, SHAKE, AFTER, RECORDS };
enum { RECORD_HEAD = 5, RUN = 100, RECORDS_MAX = 64, FLIGHTS = 8 };

struct play {
    struct pair pair;
    struct pair_end *victim, *peer;
    size_t portion;
    struct rd in;
};

/* What is final stays so, and leaves something to say only once. */
static void check_victim(struct play *p)
{
    struct pair_end *v = p->victim;
    uint8_t byte;
    size_t n = 0;
    struct err err;

    if (v->rc == ERR_OK)
        return;
    MUST(v->rc == ERR_TLS || v->rc == ERR_CLOSED);
    MUST(v->err.code == v->rc && v->err.msg[0] != '\0');
    MUST(tls_engine_read(v->engine, &byte, 1, &n, &err) == v->rc && n == 0);
    MUST(tls_engine_handshake(v->engine, &err) == v->rc);
    tls_engine_shutdown(v->engine);
    MUST(tls_engine_pending(v->engine) < 1000); /* alerts */
}

static void deliver_rest(struct play *p)
{
    pair_deliver(p->victim, p->in.p, p->in.left, p->portion);
    MUST(p->victim->plain.len == 0);
}

/* ---- an honest handshake, changed on its way --------------------------- */

static void change_flight(struct play *p, unsigned number)
{
    struct rd r = p->in;
    struct buf *wire = &p->peer->wire;

    while (r.left >= 4) {
        unsigned flight = rd_u8(&r) % FLIGHTS;
        size_t at = rd_u16(&r);
        uint8_t bits = rd_u8(&r);

        if (flight == number && at < wire->len)
            wire->data[at] ^= bits;
    }
}

/* An empty delivery lets an engine begin; how that ends shows in what it does next. */
static void begin(struct tls_engine *e)
{
    int rc = tls_engine_handshake(e, NULL);

    (void)rc;
}

/* Flight after flight; those to the victim are changed. */
static void shake_changed(struct play *p)
{
    static const uint8_t nothing;

    begin(p->pair.client.engine);
    pair_collect(&p->pair.client);
    for (unsigned i = 0; i < FLIGHTS; i++) {
        struct buf to_victim, to_peer;

        change_flight(p, i);
        to_victim = p->peer->wire;
        p->peer->wire = (struct buf){0};
        pair_deliver(p->victim, to_victim.len > 0 ? to_victim.data : &nothing, to_victim.len,
                     p->portion);
        buf_free(&to_victim);
        to_peer = p->victim->wire;
        p->victim->wire = (struct buf){0};
        pair_deliver(p->peer, to_peer.len > 0 ? to_peer.data : &nothing, to_peer.len, SIZE_MAX);
        buf_free(&to_peer);
    }
    MUST(p->victim->plain.len == 0);
}

/* ---- honest records, changed on their way ------------------------------- */

struct record {
    const uint8_t *at;
    size_t len;
};

static size_t cut_records(const struct buf *wire, struct record rec[RECORDS_MAX])
{
    size_t n = 0, at = 0;

    while (n < RECORDS_MAX && at + RECORD_HEAD <= wire->len) {
        size_t len = RECORD_HEAD + (size_t)(wire->data[at + 3] << 8 | wire->data[at + 4]);

        rec[n++] = (struct record){wire->data + at, len};
        at += len;
    }
    return n;
}

enum change { DROP, TWICE, SWAP, FLIP, CUT, CHANGES };

static void change_record(struct buf *out, struct record rec[RECORDS_MAX], size_t n, size_t i,
                          enum change change)
{
    struct record *r = &rec[i], *next = &rec[i + 1 < n ? i + 1 : i], keep = *r;

    switch (change) {
    case TWICE:
        buf_put(out, r->at, r->len);
        break;
    case SWAP:
        *r = *next;
        *next = keep;
        break;
    case FLIP:
        buf_put(out, r->at, r->len);
        out->data[out->len - 1] ^= 0x10;
        return;
    case CUT:
        buf_put(out, r->at, r->len - 1);
        return;
    default:
        return;
    }
    buf_put(out, r->at, r->len);
}

/* The wire again, with the changes that ${ops} asks for. */
static void change_records(struct rd ops, const struct buf *wire, struct buf *out)
{
    struct record rec[RECORDS_MAX];
    size_t n = cut_records(wire, rec);

    for (size_t i = 0; i < n; i++) {
        enum change change = CHANGES;
        struct rd r = ops;

        while (r.left >= 2) {
            enum change what = rd_u8(&r) % CHANGES;

            if (rd_u8(&r) % n == i)
                change = what;
        }
        if (change == CHANGES)
            buf_put(out, rec[i].at, rec[i].len);
        else
            change_record(out, rec, n, i, change);
    }
}

static void play_records(struct play *p)
{
    size_t n_ops = (size_t)(rd_u8(&p->in) % 8) * 2;
    struct rd ops = rd_make(p->in.p, n_ops);
    struct buf changed = {0};
    struct rd plain;

    if (rd_take(&p->in, n_ops) == NULL || p->in.left > (size_t)RUN * RECORDS_MAX)
        return;
    plain = p->in;
    while (p->in.left > 0) {
        size_t len = p->in.left < RUN ? p->in.left : RUN;
        struct tls_run run = {rd_take(&p->in, len), len};

        MUST(tls_engine_write(p->peer->engine, &run, 1, NULL) == ERR_OK);
    }
    tls_engine_shutdown(p->peer->engine);
    pair_collect(p->peer);
    change_records(ops, &p->peer->wire, &changed);
    pair_deliver(p->victim, changed.data, changed.len, p->portion);
    MUST(p->victim->plain.len <= plain.left);
    MUST(p->victim->plain.len == 0 ||
         memcmp(p->victim->plain.data, plain.p, p->victim->plain.len) == 0);
    if (n_ops == 0) /* the peer's end is the end of it */
        MUST(p->victim->plain.len == plain.left && p->victim->rc == ERR_CLOSED);
    if (p->victim->rc == ERR_CLOSED)
        MUST(p->victim->plain.len == plain.left);
    buf_free(&changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct net_keys keys;
    struct play p = {.in = rd_make(data, size)};
    uint8_t what = rd_u8(&p.in), portion = rd_u8(&p.in);
    enum mode mode = what >> 1 & 3;

    if (p.in.bad)
        return 0;
    if (keys.server == NULL)
        MUST(net_keys_make(&keys) == ERR_OK);
    MUST(pair_open(&p.pair, &keys, NULL) == ERR_OK);
    p.victim = (what & 1) == 0 ? &p.pair.server : &p.pair.client;
    p.peer = (what & 1) == 0 ? &p.pair.client : &p.pair.server;
    p.portion = portion != 0 ? portion : SIZE_MAX;
    if (mode == RAW && p.victim == &p.pair.client)
        begin(p.victim->engine);
    if (mode == SHAKE)
        shake_changed(&p);
    else if (mode != RAW)
        MUST(pair_shake(&p.pair, SIZE_MAX));
    if (mode == RAW || mode == AFTER)
        deliver_rest(&p);
    if (mode == RECORDS)
        play_records(&p);
    check_victim(&p);
    pair_close(&p.pair);
    return 0;
}
