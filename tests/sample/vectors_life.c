/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of statements and of the log of a transfer. */
#include "common/crypto/ed25519.h"
#include "common/transfer/event_log.h"
#include "common/transfer/statement.h"
#include "tests/sample/sample.h"
#include "tests/sample/vectors_json.h"

enum { STORED = 1, RELEASED, RECEIVED = 5, REVOKED = 7, EXTENDED = 9 }; /* FORMATS.md 14.4 */

static struct statement statement_of(const struct sample *s, int who)
{
    const struct sample_user *u = &s->user[who];
    struct statement st = {.tid = s->header.tid,
                           .user = u->uid,
                           .manifest = u->first->hash,
                           .device = u->device.id,
                           .time = SAMPLE_TIME + 5000};

    MUST_OK(header_hash(part(s->header_raw.data, s->header_raw.len), &st.header));
    return st;
}

static void make_receipt(const struct sample *s, struct buf *out)
{
    struct statement st = statement_of(s, SAMPLE_BOB);

    MUST_OK(statement_make(SIGNED_RECEIPT, &st, &s->user[SAMPLE_BOB].dsk, out, NULL));
}

static void make_addendum(const struct sample *s, struct buf *out)
{
    struct statement st = statement_of(s, SAMPLE_ALICE);

    st.number = 1;
    st.expires = s->header.expires + SAMPLE_DAY;
    MUST_OK(statement_make(SIGNED_EXTEND, &st, &s->user[SAMPLE_ALICE].dsk, out, NULL));
}

static void write_statement(struct vectors_json *j, const struct sample *s, int who,
                            const struct buf *raw)
{
    const struct sample_user *u = &s->user[who];
    struct statement st;

    MUST_OK(statement_read(part(raw->data, raw->len), &st, NULL));
    vectors_json_begin(j, st.number > 0 ? "extend" : "receipt");
    vectors_json_secret(j, "device_seed", &u->dsk);
    vectors_json_hex(j, "manifest_body", u->first->body);
    vectors_json_buf(j, "header", &s->header_raw);
    vectors_json_hex(j, "user_id", PART_OF(st.user.b));
    vectors_json_number(j, "time", st.time);
    vectors_json_number(j, "number", st.number);
    vectors_json_number(j, "expires", st.expires);
    vectors_json_buf(j, "signed", raw);
    vectors_json_end(j);
}

void vectors_life_statement(struct vectors_json *j)
{
    struct buf raw = {0};
    struct sample s;

    sample_make(&s, 5);
    make_receipt(&s, &raw);
    write_statement(j, &s, SAMPLE_BOB, &raw);
    buf_reset(&raw);
    make_addendum(&s, &raw);
    write_statement(j, &s, SAMPLE_ALICE, &raw);
    buf_free(&raw);
    sample_free(&s);
}

static void write_event(struct vectors_json *j, const struct tid *tid,
                        const struct event_log_row *row, struct hash32 *hash)
{
    struct hash32 prev = *hash;

    MUST_OK(event_log_hash(tid, row, &prev, hash));
    vectors_json_begin(j, "event");
    vectors_json_hex(j, "tid", PART_OF(tid->b));
    vectors_json_number(j, "number", row->number);
    vectors_json_number(j, "time", row->time);
    vectors_json_number(j, "kind", row->kind);
    vectors_json_hex(j, "user_id", PART_OF(row->uid.b));
    vectors_json_hex(j, "data", row->data);
    vectors_json_hex(j, "previous", PART_OF(prev.b));
    vectors_json_hex(j, "hash", PART_OF(hash->b));
    vectors_json_end(j);
}

static void write_head(struct vectors_json *j, const struct tid *tid, uint32_t number,
                       const struct hash32 *hash)
{
    struct event_log_head h = {
        .tid = *tid, .number = number, .hash = *hash, .time = SAMPLE_TIME + 9000};
    uint8_t key[IDS_KEY_LEN], sig[SIGNED_SIG_LEN];
    struct secret seed = {0};
    struct buf body = {0};

    sample_secret("server key", &seed);
    MUST_OK(ed25519_public(key, seed.data));
    MUST_OK(ids_server(key, &h.server));
    MUST_OK(event_log_head_pack(&h, &body, NULL));
    MUST_OK(signed_make(SIGNED_EVENTS, &seed, part(body.data, body.len), sig, NULL));
    vectors_json_begin(j, "head");
    vectors_json_secret(j, "server_seed", &seed);
    vectors_json_hex(j, "server_id", PART_OF(h.server.b));
    vectors_json_hex(j, "tid", PART_OF(tid->b));
    vectors_json_number(j, "number", number);
    vectors_json_hex(j, "hash", PART_OF(hash->b));
    vectors_json_number(j, "time", h.time);
    vectors_json_buf(j, "body", &body);
    vectors_json_hex(j, "signature", PART_OF(sig));
    vectors_json_end(j);
    buf_free(&body);
    secret_free(&seed);
}

void vectors_life_events(struct vectors_json *j)
{
    struct buf receipt = {0}, addendum = {0};
    struct hash32 hash = {0}, header;
    struct sample s;
    uint32_t n = 0;

    sample_make(&s, 5);
    make_receipt(&s, &receipt);
    make_addendum(&s, &addendum);
    MUST_OK(header_hash(part(s.header_raw.data, s.header_raw.len), &header));
    {
        const struct uid alice = s.user[SAMPLE_ALICE].uid, bob = s.user[SAMPLE_BOB].uid;
        const struct event_log_row rows[] = {
            {.kind = STORED, .uid = alice, .data = PART_OF(header.b)},
            {.kind = RELEASED, .uid = bob, .data = PART_OF(s.user[SAMPLE_BOB].device.id.b)},
            {.kind = RECEIVED, .uid = bob, .data = part(receipt.data, receipt.len)},
            {.kind = EXTENDED, .uid = alice, .data = part(addendum.data, addendum.len)},
            {.kind = REVOKED, .uid = s.user[SAMPLE_CAROL].uid},
        };

        for (; n < sizeof(rows) / sizeof(rows[0]); n++) {
            struct event_log_row row = rows[n];

            row.number = n + 1;
            row.time = SAMPLE_TIME + (uint64_t)n * 1000;
            write_event(j, &s.header.tid, &row, &hash);
        }
    }
    write_head(j, &s.header.tid, n, &hash);
    buf_free(&receipt);
    buf_free(&addendum);
    sample_free(&s);
}
