/* SPDX-License-Identifier: Apache-2.0 */
/* flips: every field of header and slot, one bit changed, by the daemon and by who can sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/hash.h"
#include "common/transfer/receive.h"
#include "proto/satchel.pb-c.h"
#include "tests/sample/sample.h"

static int setup(void **state)
{
    struct sample *s = malloc(sizeof(*s));

    sample_make(s, 300000);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    sample_free(*state);
    free(*state);
    return 0;
}

/* What refused a transfer: a code, a word of its message, and how far it came. */
enum stage { CHECK, BODY, LEAVES, PIECES, PASSED };

struct outcome {
    enum stage stage;
    int code;
    struct err err;
};

static int open_pieces(const struct sample *s, const struct receive *r, const struct body *b)
{
    uint8_t *out = malloc(BODY_PIECE_SEALED);
    int rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < s->n_leaves; i++) {
        size_t sealed = body_sealed_len(s->header.body_length, i), of_file;
        struct part piece = part(s->sealed + (size_t)i * BODY_PIECE_SEALED, sealed);

        rc = body_open_piece(b, i, &s->leaves[i], piece, out);
        if (rc == ERR_OK)
            rc = body_file_part(b, r->metadata.length, i,
                                part(out, body_plain_len(r->header.body_length, i)), &of_file);
    }
    free(out);
    return rc;
}

/* Everything a client does, for Bob. */
static struct outcome receive_all(const struct sample *s, const struct receive_in *in)
{
    struct outcome o = {.stage = CHECK};
    struct receive r = {0};
    struct body *b = NULL;

    o.code = receive_check(in, &r, &o.err);
    if (o.code != ERR_OK) {
        assert_int_equal(r.metadata.name[0], '\0');
        goto out;
    }
    o.stage = BODY;
    o.code = receive_body(in, &r, &s->share[SAMPLE_BOB].body, &b, &o.err);
    if (o.code != ERR_OK) {
        assert_null(b);
        goto out;
    }
    o.stage = LEAVES;
    o.code = body_check_leaves(&r.header, s->leaves, s->n_leaves, &o.err);
    if (o.code != ERR_OK)
        goto out;
    o.stage = PIECES;
    o.code = open_pieces(s, &r, b);
    if (o.code != ERR_OK)
        (void)err_set(&o.err, o.code, "piece");
    else
        o.stage = PASSED;
out:
    if (o.code != ERR_OK)
        assert_int_equal(o.code, o.err.code);
    body_free(b);
    receive_free(&r);
    return o;
}

/* Number of bits of a field; 0 if it is of no kind that is known here. */
static unsigned field_bits(const void *msg, const ProtobufCFieldDescriptor *f)
{
    const ProtobufCBinaryData *bytes = (const void *)((const char *)msg + f->offset);

    switch (f->type) {
    case PROTOBUF_C_TYPE_BYTES:
        return (unsigned)bytes->len * 8;
    case PROTOBUF_C_TYPE_UINT32:
        return 32;
    case PROTOBUF_C_TYPE_UINT64:
        return 64;
    default:
        return 0;
    }
}

static void flip(void *msg, const ProtobufCFieldDescriptor *f, unsigned bit)
{
    char *at = (char *)msg + f->offset;

    if (f->type == PROTOBUF_C_TYPE_BYTES)
        ((ProtobufCBinaryData *)(void *)at)->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    else if (f->type == PROTOBUF_C_TYPE_UINT32)
        *(uint32_t *)(void *)at ^= (uint32_t)1 << bit;
    else
        *(uint64_t *)(void *)at ^= (uint64_t)1 << bit;
}

/* One bit of every byte, and every bit of numbers. */
static unsigned next_bit(const ProtobufCFieldDescriptor *f, unsigned bit)
{
    return bit + (f->type == PROTOBUF_C_TYPE_BYTES ? 7 : 1);
}

static void explain(const char *field, unsigned bit, const struct outcome *o)
{
    fail_msg("%s, bit %u: stage %d, %s: %s", field, bit, o->stage, err_name(o->code), o->err.msg);
}

/* The daemon, or who sits between: he cannot sign.  Always exit 6, and before the share is used. */
static void test_header_not_signed_again(void **state)
{
    struct sample *s = *state;
    const ProtobufCMessageDescriptor *d = &satchel__header__descriptor;
    Satchel__Header *msg = satchel__header__unpack(NULL, s->header_raw.len, s->header_raw.data);
    uint8_t raw[HEADER_MAX];
    struct sample_row row;

    sample_row(s, SAMPLE_BOB, &row);
    row.in.share_meta = NULL; /* would crash */
    for (unsigned i = 0; i < d->n_fields; i++) {
        unsigned bits = field_bits(msg, &d->fields[i]);

        assert_true(bits > 0);
        for (unsigned bit = 0; bit < bits; bit = next_bit(&d->fields[i], bit)) {
            struct outcome o;

            flip(msg, &d->fields[i], bit);
            row.in.header = part(raw, satchel__header__pack(msg, raw));
            flip(msg, &d->fields[i], bit);
            o = receive_all(s, &row.in);
            if (o.code != ERR_INTEGRITY || err_exit_code(o.code) != 6)
                explain(d->fields[i].name, bit, &o);
        }
    }
    satchel__header__free_unpacked(msg, NULL);
}

/* And every bit of the bytes, whatever they come to mean. */
static void test_header_bytes(void **state)
{
    struct sample *s = *state;
    struct sample_row row;

    for (size_t i = 0; i < s->header_raw.len; i++) {
        struct outcome o;

        sample_row(s, SAMPLE_BOB, &row);
        s->header_raw.data[i] ^= (uint8_t)(1U << i % 8);
        o = receive_all(s, &row.in);
        s->header_raw.data[i] ^= (uint8_t)(1U << i % 8);
        if (o.code != ERR_INTEGRITY && o.code != ERR_UNSUPPORTED)
            explain("byte", (unsigned)i, &o);
    }
}

/* What may refuse a field of the header that its sender changed and signed. */
struct catcher {
    const char *field;
    struct {
        int code;
        enum stage stage;
        const char *names;
    } by[4];
};

static const struct catcher header_catchers[] = {
    {"version", {{ERR_UNSUPPORTED, CHECK, "Header.version"}}},
    {"suite", {{ERR_UNSUPPORTED, CHECK, "Header.suite"}}},
    {"tid", {{ERR_INTEGRITY, CHECK, "meta share"}}},
    {"sender", {{ERR_INTEGRITY, CHECK, "Header.sender"}}},
    {"manifest", {{ERR_INTEGRITY, CHECK, "Header.manifest"}}},
    {"device", {{ERR_INTEGRITY, CHECK, "Header.device"}}},
    {"created",
     {{ERR_INTEGRITY, CHECK, "meta key of the slot"},
      {ERR_INTEGRITY, CHECK, "Header.expires"},
      {ERR_REFUSED, CHECK, "future"}}},
    {"expires",
     {{ERR_INTEGRITY, CHECK, "meta key of the slot"},
      {ERR_INTEGRITY, CHECK, "Header.expires"},
      {ERR_EXPIRED, CHECK, "expired"}}},
    {"policy_flags",
     {{ERR_INTEGRITY, CHECK, "meta key of the slot"}, {ERR_UNSUPPORTED, CHECK, "policy"}}},
    {"opens", {{ERR_INTEGRITY, CHECK, "meta key of the slot"}}},
    {"tweak", {{ERR_INTEGRITY, CHECK, "meta key of the slot"}}},
    {"kid", {{ERR_INTEGRITY, CHECK, "meta key of the slot"}}},
    {"cid", {{ERR_INTEGRITY, CHECK, "meta key of the slot"}}},
    {"mkid", {{ERR_INTEGRITY, CHECK, "meta key of the slot"}}},
    {"body_length",
     {{ERR_INTEGRITY, CHECK, "Metadata.length"},
      {ERR_INTEGRITY, LEAVES, "leaves"},
      {ERR_INTEGRITY, PIECES, "piece"},
      {ERR_INTEGRITY, CHECK, "Header.body_length"}}},
    {"salt", {{ERR_INTEGRITY, BODY, "Header.commitment"}}},
    {"commitment", {{ERR_INTEGRITY, CHECK, "meta key of the slot"}}},
    {"body_root", {{ERR_INTEGRITY, LEAVES, "Header.body_root"}}},
    {"metadata_hash", {{ERR_INTEGRITY, CHECK, "Header.metadata_hash"}}},
    {"slots_root", {{ERR_INTEGRITY, CHECK, "not one of this header"}}},
    /* Found where the audit path has another shape, as here; the count itself is the daemon's to
     * check: header_matches(). */
    {"slots", {{ERR_INTEGRITY, CHECK, "not one of this header"}, {ERR_INTEGRITY, CHECK, "slots"}}},
};

static const struct catcher slot_catchers[] = {
    {"ek_id", {{ERR_INTEGRITY, CHECK, "meta share"}}},
    {"enc", {{ERR_INTEGRITY, CHECK, "meta key of the slot"}}},
    {"share_commit_meta", {{ERR_INTEGRITY, CHECK, "meta share"}}},
    {"share_commit_body", {{ERR_INTEGRITY, CHECK, "meta key of the slot"}}},
    {"wrap_meta", {{ERR_INTEGRITY, CHECK, "meta key of the slot"}}},
    {"wrap_body", {{ERR_INTEGRITY, BODY, "body key of the slot"}}},
};

static bool caught(const struct catcher *c, const struct outcome *o)
{
    for (size_t i = 0; i < 4 && c->by[i].names != NULL; i++)
        if (o->code == c->by[i].code && o->stage == c->by[i].stage &&
            strstr(o->err.msg, c->by[i].names) != NULL)
            return true;
    return false;
}

/* The sender himself, or who has his device: what he signs must still fit together. */
static void test_header_signed_again(void **state)
{
    struct sample *s = *state;
    const ProtobufCMessageDescriptor *d = &satchel__header__descriptor;
    Satchel__Header *msg = satchel__header__unpack(NULL, s->header_raw.len, s->header_raw.data);
    struct sample_row row;

    assert_int_equal(d->n_fields, sizeof(header_catchers) / sizeof(header_catchers[0]));
    for (unsigned i = 0; i < d->n_fields; i++) {
        unsigned bits = field_bits(msg, &d->fields[i]);

        assert_string_equal(header_catchers[i].field, d->fields[i].name);
        for (unsigned bit = 0; bit < bits; bit = next_bit(&d->fields[i], bit)) {
            struct outcome o;

            flip(msg, &d->fields[i], bit);
            buf_reset(&s->header_raw);
            assert_non_null(buf_reserve(&s->header_raw, HEADER_MAX));
            s->header_raw.len = satchel__header__pack(msg, s->header_raw.data);
            flip(msg, &d->fields[i], bit);
            sample_sign_raw(s);
            sample_row(s, SAMPLE_BOB, &row);
            o = receive_all(s, &row.in);
            if (!caught(&header_catchers[i], &o))
                explain(d->fields[i].name, bit, &o);
        }
    }
    satchel__header__free_unpacked(msg, NULL);
}

/* By the daemon: not in slots_root.  By the sender, with a new root and signature: at the place. */
static void test_slot(void **state)
{
    struct sample *s = *state;
    const ProtobufCMessageDescriptor *d = &satchel__slot__descriptor;
    struct part good = s->slot_part[SAMPLE_BOB];
    Satchel__Slot *msg = satchel__slot__unpack(NULL, good.len, good.data);
    uint8_t raw[SLOT_MAX];
    struct sample_row row;

    assert_int_equal(d->n_fields, sizeof(slot_catchers) / sizeof(slot_catchers[0]));
    for (unsigned i = 0; i < d->n_fields; i++) {
        unsigned bits = field_bits(msg, &d->fields[i]);

        assert_string_equal(slot_catchers[i].field, d->fields[i].name);
        assert_true(bits > 0);
        for (unsigned bit = 0; bit < bits; bit = next_bit(&d->fields[i], bit)) {
            struct outcome o;

            flip(msg, &d->fields[i], bit);
            sample_row(s, SAMPLE_BOB, &row);
            row.in.slot = part(raw, satchel__slot__pack(msg, raw));
            flip(msg, &d->fields[i], bit);
            o = receive_all(s, &row.in);
            if (o.code != ERR_INTEGRITY || strstr(o.err.msg, "not one of this header") == NULL)
                explain(d->fields[i].name, bit, &o);
            /* now signed */
            s->slot_part[SAMPLE_BOB] = row.in.slot;
            assert_int_equal(slot_root(s->slot_part, SAMPLE_RECIPIENTS, &s->header.slots_root),
                             ERR_OK);
            sample_sign(s);
            sample_row(s, SAMPLE_BOB, &row);
            o = receive_all(s, &row.in);
            if (!caught(&slot_catchers[i], &o))
                explain(d->fields[i].name, bit, &o);
            s->slot_part[SAMPLE_BOB] = good;
            sample_pack_slots(s);
            good = s->slot_part[SAMPLE_BOB];
            sample_sign(s);
        }
    }
    satchel__slot__free_unpacked(msg, NULL);
}

/* Nothing above may fail for a reason of its own. */
static void test_unchanged_passes(void **state)
{
    struct sample *s = *state;
    struct sample_row row;
    struct outcome o;

    sample_row(s, SAMPLE_BOB, &row);
    o = receive_all(s, &row.in);
    if (o.stage != PASSED)
        explain("nothing", 0, &o);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unchanged_passes),
        TEST(test_header_not_signed_again),
        TEST(test_header_bytes),
        TEST(test_header_signed_again),
        TEST(test_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
