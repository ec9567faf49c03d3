/* SPDX-License-Identifier: Apache-2.0 */
/* header: reading, rules, what the upload was opened with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/transfer/header.h"
#include "proto/satchel.pb-c.h"
#include "tests/sample/sample.h"

static int setup(void **state)
{
    struct sample *s = malloc(sizeof(*s));

    sample_make(s, 10);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    sample_free(*state);
    free(*state);
    return 0;
}

static void test_round_trip(void **state)
{
    struct sample *s = *state;
    struct part raw = part(s->header_raw.data, s->header_raw.len);
    struct header back;
    struct buf again = {0};
    struct err err;

    assert_int_equal(header_parse(raw, &back, &err), ERR_OK);
    assert_int_equal(header_check(&back, &err), ERR_OK);
    assert_int_equal(header_pack(&back, &again, &err), ERR_OK);
    assert_int_equal(again.len, raw.len);
    assert_memory_equal(again.data, raw.data, raw.len);
    assert_int_equal(header_verify(raw, PART_OF(s->signature), s->user[0].device.key, &err),
                     ERR_OK);
    assert_int_equal(header_verify(raw, PART_OF(s->signature), s->user[1].device.key, &err),
                     ERR_INTEGRITY);
    buf_free(&again);
}

/* Each bytes field one byte shorter and longer, then gone. */
static void test_sizes(void **state)
{
    struct sample *s = *state;
    const ProtobufCMessageDescriptor *d = &satchel__header__descriptor;
    Satchel__Header *msg = satchel__header__unpack(NULL, s->header_raw.len, s->header_raw.data);
    uint8_t raw[HEADER_MAX + 64], long_field[64] = {0};
    struct header h;
    struct err err;
    int seen = 0;

    for (unsigned i = 0; i < d->n_fields; i++) {
        ProtobufCBinaryData *field = (void *)((char *)msg + d->fields[i].offset), was;
        size_t sizes[3];

        if (d->fields[i].type != PROTOBUF_C_TYPE_BYTES)
            continue;
        was = *field;
        sizes[0] = was.len - 1;
        sizes[1] = was.len + 1;
        sizes[2] = 0;
        for (int k = 0; k < 3; k++) {
            *field = (ProtobufCBinaryData){sizes[k], long_field};
            assert_int_equal(header_parse(part(raw, satchel__header__pack(msg, raw)), &h, &err),
                             ERR_INVALID);
            assert_non_null(strstr(err.msg, d->fields[i].name));
        }
        *field = was;
        seen++;
    }
    assert_int_equal(seen, 12);
    msg->version = 2;
    msg->tid.len = 1;
    assert_int_equal(header_parse(part(raw, satchel__header__pack(msg, raw)), &h, &err),
                     ERR_UNSUPPORTED);
    msg->tid.len = 16;
    satchel__header__free_unpacked(msg, NULL);
}

static void test_hostile_bytes(void **state)
{
    struct sample *s = *state;
    uint8_t *raw = calloc(1, HEADER_MAX + 1);
    struct header h;
    struct err err;

    for (size_t i = 0; i < s->header_raw.len; i++)
        assert_true(header_parse(part(s->header_raw.data, i), &h, &err) != ERR_OK ||
                    header_check(&h, &err) != ERR_OK);
    memcpy(raw, s->header_raw.data, s->header_raw.len);
    assert_int_equal(header_parse(part(raw, HEADER_MAX + 1), &h, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "over"));
    free(raw);
}

static void test_rules(void **state)
{
    struct sample *s = *state;
    struct header bad;
    struct buf out = {0};
    struct err err;

#define REFUSED(change, code, names)                                                               \
    do {                                                                                           \
        bad = s->header;                                                                           \
        change;                                                                                    \
        assert_int_equal(header_check(&bad, &err), code);                                          \
        assert_non_null(strstr(err.msg, names));                                                   \
        assert_int_equal(header_pack(&bad, &out, &err), code);                                     \
    } while (0)
    REFUSED(bad.version = 0, ERR_UNSUPPORTED, "version");
    REFUSED(bad.version = 2, ERR_UNSUPPORTED, "version");
    REFUSED(bad.suite = 2, ERR_UNSUPPORTED, "suite");
    REFUSED(bad.policy_flags = 2, ERR_UNSUPPORTED, "policy");
    REFUSED(bad.policy_flags = 0x80000001, ERR_UNSUPPORTED, "policy");
    REFUSED(bad.slots = 0, ERR_INVALID, "slots");
    REFUSED(bad.slots = 258, ERR_INVALID, "slots");
    REFUSED(bad.body_length = HEADER_BODY_MAX, ERR_INVALID, "body_length");
    REFUSED(bad.expires = bad.created, ERR_INVALID, "expires");
    REFUSED(bad.created = UINT64_MAX, ERR_INVALID, "expires");
#undef REFUSED
    assert_int_equal(out.len, 0);
    bad = s->header;
    bad.policy_flags = HEADER_REQUIRE_OTP;
    assert_int_equal(header_check(&bad, &err), ERR_OK);
    buf_free(&out);
}

static void test_matches(void **state)
{
    struct sample *s = *state;
    const struct header *h = &s->header;
    const struct header_facts good = {.tid = h->tid,
                                      .sender = h->sender,
                                      .device = h->device,
                                      .created = h->created,
                                      .expires = h->expires,
                                      .body_length = h->body_length,
                                      .policy_flags = h->policy_flags,
                                      .opens = h->opens,
                                      .slots = h->slots};
    struct header_facts bad;
    struct err err;

    assert_int_equal(header_matches(h, &good, &err), ERR_OK);
#define REFUSED(field, names)                                                                      \
    do {                                                                                           \
        bad = good;                                                                                \
        bad.field ^= 1;                                                                            \
        assert_int_equal(header_matches(h, &bad, &err), ERR_INVALID);                              \
        assert_non_null(strstr(err.msg, names));                                                   \
    } while (0)
    REFUSED(tid.b[0], "tid");
    REFUSED(sender.b[0], "sender");
    REFUSED(device.b[0], "device");
    REFUSED(created, "created");
    REFUSED(expires, "expires");
    REFUSED(body_length, "body_length");
    REFUSED(policy_flags, "policy_flags");
    REFUSED(opens, "opens");
    REFUSED(slots, "slots");
#undef REFUSED
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip), TEST(test_sizes),   TEST(test_hostile_bytes),
        TEST(test_rules),      TEST(test_matches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
