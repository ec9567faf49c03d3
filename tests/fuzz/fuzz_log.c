/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said about a transfer after its seal.  First byte 0: a signed statement; 1: the head of a
 * log; 2: an EventsReply as it comes; 3: changes to a good one (then u16 place and u8 bits each).
 * What is read is written again and read alike; a log that verifies has the good one's events.
 */
#include <string.h>

#include "client/op/events.h"
#include "common/crypto/ed25519.h"
#include "common/transfer/event_log.h"
#include "common/transfer/statement.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sample/sample.h"

enum { STATEMENT, HEAD, REPLY, CHANGED };

static const struct tid tid = {{1, 2, 3}};
static uint8_t server_key[IDS_KEY_LEN];
static struct buf good; /* a serialised EventsReply of two events */
static struct hash32 last;

static ProtobufCBinaryData view(const void *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static void make(void)
{
    static const uint8_t data[] = "data";
    Satchel__EventsReply m = SATCHEL__EVENTS_REPLY__INIT;
    Satchel__Signed head = SATCHEL__SIGNED__INIT;
    Satchel__LoggedEvent rows[2], *list[] = {&rows[0], &rows[1]};
    struct event_log_head h = {.tid = tid, .number = 2};
    struct hash32 hashes[3] = {0};
    struct event_log_row row = {.data = PART_OF(data)};
    uint8_t sig[SIGNED_SIG_LEN];
    struct secret seed = {0};
    struct buf body = {0};

    sample_secret("server key", &seed);
    MUST(ed25519_public(server_key, seed.data) == ERR_OK &&
         ids_server(server_key, &h.server) == ERR_OK);
    for (uint32_t i = 0; i < 2; i++) {
        row.number = i + 1;
        row.kind = (uint16_t)(i + 1);
        MUST(event_log_hash(&tid, &row, &hashes[i], &hashes[i + 1]) == ERR_OK);
        satchel__logged_event__init(&rows[i]);
        rows[i].number = row.number;
        rows[i].kind = row.kind;
        rows[i].user_id = view(row.uid.b, sizeof(row.uid.b));
        rows[i].data = view(data, sizeof(data));
        rows[i].hash = view(hashes[i + 1].b, sizeof(hashes[i + 1].b));
    }
    last = h.hash = hashes[2];
    MUST(event_log_head_pack(&h, &body, NULL) == ERR_OK);
    MUST(signed_make(SIGNED_EVENTS, &seed, part(body.data, body.len), sig, NULL) == ERR_OK);
    head.body = view(body.data, body.len);
    head.signature = view(sig, sizeof(sig));
    m.events = list;
    m.n_events = 2;
    m.head = &head;
    good.len = satchel__events_reply__get_packed_size(&m);
    good.data = malloc(good.len);
    MUST(good.data != NULL && satchel__events_reply__pack(&m, good.data) == good.len);
    buf_free(&body);
    secret_free(&seed);
}

static void try_statement(struct part raw)
{
    struct secret seed = {0};
    struct statement s, again;
    struct buf out = {0};

    if (statement_read(raw, &s, NULL) != ERR_OK)
        return;
    sample_secret("device", &seed);
    MUST(statement_make(SIGNED_RECEIPT, &s, &seed, &out, NULL) == ERR_OK);
    MUST(statement_read(part(out.data, out.len), &again, NULL) == ERR_OK);
    MUST(memcmp(&s.tid, &again.tid, sizeof(s.tid)) == 0 && s.time == again.time &&
         s.number == again.number && s.expires == again.expires);
    MUST(memcmp(&s.device, &again.device, sizeof(s.device)) == 0);
    buf_free(&out);
    secret_free(&seed);
}

static void try_head(struct part body)
{
    struct event_log_head h, again;
    struct buf out = {0};

    if (event_log_head_read(body, &h, NULL) != ERR_OK)
        return;
    MUST(event_log_head_pack(&h, &out, NULL) == ERR_OK);
    MUST(event_log_head_read(part(out.data, out.len), &again, NULL) == ERR_OK);
    MUST(memcmp(&h.hash, &again.hash, sizeof(h.hash)) == 0 && h.number == again.number &&
         h.time == again.time && memcmp(&h.server, &again.server, sizeof(h.server)) == 0);
    buf_free(&out);
}

static void try_reply(struct part raw)
{
    Satchel__EventsReply *m = satchel__events_reply__unpack(NULL, raw.len, raw.data);
    struct events ev = {.tid = tid};

    if (m == NULL)
        return;
    ev.rows = m->events;
    ev.n = m->n_events;
    ev.head = m->head;
    if (events_verify(&ev, server_key, NULL) == ERR_OK && ev.n > 0)
        MUST(ev.n == 2 && memcmp(ev.rows[1]->hash.data, last.b, sizeof(last.b)) == 0);
    satchel__events_reply__free_unpacked(m, NULL);
}

static void try_changed(struct rd *r)
{
    struct buf copy = {0};

    buf_put(&copy, good.data, good.len);
    MUST(buf_check(&copy, NULL) == ERR_OK);
    while (r->left >= 3) {
        size_t at = rd_u16(r);

        copy.data[at % copy.len] ^= rd_u8(r);
    }
    try_reply(part(copy.data, copy.len));
    buf_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    uint8_t what = rd_u8(&r);

    if (good.len == 0)
        make();
    if (what == STATEMENT)
        try_statement(part(r.p, r.left));
    else if (what == HEAD)
        try_head(part(r.p, r.left));
    else if (what == REPLY)
        try_reply(part(r.p, r.left));
    else if (what == CHANGED)
        try_changed(&r);
    return 0;
}
