/* SPDX-License-Identifier: Apache-2.0 */
/* envelope and dispatch: codes of the wire, and the table of requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/frame.h"
#include "server/conn.h"
#include "server/dispatch.h"
#include "server/envelope.h"

/* ---- codes ---- */

static const struct {
    int ours;
    Satchel__Code wire;
} pairs[] = {
    {ERR_INVALID, SATCHEL__CODE__BAD_REQUEST},
    {ERR_INTEGRITY, SATCHEL__CODE__BAD_REQUEST},
    {ERR_PROTO, SATCHEL__CODE__BAD_FRAME},
    {ERR_BADSTATE, SATCHEL__CODE__BAD_STATE},
    {ERR_UNSUPPORTED, SATCHEL__CODE__UNSUPPORTED},
    {ERR_AUTH, SATCHEL__CODE__AUTH_FAILED},
    {ERR_FACTOR, SATCHEL__CODE__AUTH_FACTOR},
    {ERR_NOTFOUND, SATCHEL__CODE__NOT_FOUND},
    {ERR_EXISTS, SATCHEL__CODE__EXISTS},
    {ERR_EXPIRED, SATCHEL__CODE__EXPIRED},
    {ERR_REVOKED, SATCHEL__CODE__REVOKED},
    {ERR_SPENT, SATCHEL__CODE__SPENT},
    {ERR_TOOLARGE, SATCHEL__CODE__TOO_LARGE},
    {ERR_QUOTA, SATCHEL__CODE__QUOTA},
    {ERR_RATE, SATCHEL__CODE__RATE},
    {ERR_FULL, SATCHEL__CODE__FULL},
    {ERR_BUSY, SATCHEL__CODE__BUSY},
    {ERR_TIMEOUT, SATCHEL__CODE__BUSY},
    {ERR_DRAINING, SATCHEL__CODE__DRAINING},
    {ERR_KEYREUSED, SATCHEL__CODE__KEY_REUSED},
    {ERR_IO, SATCHEL__CODE__INTERNAL},
    {ERR_CORRUPT, SATCHEL__CODE__INTERNAL},
    {-9999, SATCHEL__CODE__INTERNAL},
};

static void test_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_int_equal(envelope_code(pairs[i].ours), pairs[i].wire);
}

/* Whatever code of ours, the wire has a code, words and an opinion. */
static void test_every_code_has_words(void **state)
{
    static const int ours[] = {
#define X(name, num, id, text, exit_code) name,
        ERR_MAP(X)
#undef X
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        Satchel__Code code = envelope_code(ours[i]);

        assert_in_range(code, SATCHEL__CODE__BAD_FRAME, SATCHEL__CODE__INTERNAL);
        assert_non_null(envelope_message(code));
        assert_in_range(strlen(envelope_message(code)), 1, ENVELOPE_MESSAGE_MAX);
    }
}

/* PROTOCOL.md section 5, column "try again". */
static void test_which_may_be_tried_again(void **state)
{
    static const bool again[] = {
        [SATCHEL__CODE__QUOTA] = true,    [SATCHEL__CODE__RATE] = true,
        [SATCHEL__CODE__FULL] = true,     [SATCHEL__CODE__BUSY] = true,
        [SATCHEL__CODE__DRAINING] = true, [SATCHEL__CODE__INTERNAL] = true};

    (void)state;
    for (int c = SATCHEL__CODE__BAD_FRAME; c <= SATCHEL__CODE__INTERNAL; c++)
        assert_int_equal(envelope_retry((Satchel__Code)c), again[c]);
}

/* ---- bytes ---- */

static void test_pack_and_unpack(void **state)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT, *back;
    Satchel__Ping ping = SATCHEL__PING__INIT;
    Satchel__LeavesReply large = SATCHEL__LEAVES_REPLY__INIT;
    static uint8_t leaves[FRAME_HEAD_MAX];
    size_t bytes = 0;
    struct buf b = {0};

    (void)state;
    env.id = 77;
    env.body_case = SATCHEL__ENVELOPE__BODY_PING;
    env.ping = &ping;
    assert_int_equal(envelope_pack(&env, &b, NULL), ERR_OK);
    back = envelope_unpack(b.data, b.len, &bytes);
    assert_non_null(back);
    assert_int_equal(back->id, 77);
    assert_in_range(bytes, sizeof(*back), 4096);
    assert_int_equal(back->body_case, SATCHEL__ENVELOPE__BODY_PING);
    satchel__envelope__free_unpacked(back, NULL);
    assert_null(envelope_unpack((const uint8_t *)"\xff\xff\xff", 3, &bytes));
    assert_null(envelope_unpack(b.data, b.len - 1, &bytes));

    large.leaves.data = leaves;
    large.leaves.len = sizeof(leaves);
    env.body_case = SATCHEL__ENVELOPE__BODY_LEAVES_REPLY;
    env.leaves_reply = &large;
    buf_reset(&b);
    assert_int_equal(envelope_pack(&env, &b, NULL), ERR_TOOLARGE);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

/* ---- the table of requests ---- */

static bool is_reply(const char *name)
{
    size_t n = strlen(name);

    return strcmp(name, "error") == 0 || strcmp(name, "done") == 0 || strcmp(name, "piece") == 0 ||
           strcmp(name, "piece_ack") == 0 || strcmp(name, "event") == 0 ||
           (n > 6 && strcmp(name + n - 6, "_reply") == 0);
}

static void test_each_request_has_a_row_and_no_reply_has(void **state)
{
    const ProtobufCMessageDescriptor *d = &satchel__envelope__descriptor;
    unsigned requests = 0;

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const struct dispatch_row *row = dispatch_find((Satchel__Envelope__BodyCase)f->id);

        if (strcmp(f->name, "id") == 0)
            continue;
        if (is_reply(f->name) != (row == NULL))
            fail_msg("%s", f->name);
        requests += row != NULL;
    }
    assert_true(requests >= 25);
    assert_null(dispatch_find(SATCHEL__ENVELOPE__BODY__NOT_SET));
    assert_null(dispatch_find((Satchel__Envelope__BodyCase)1000));
}

/* PROTOCOL.md section 3. */
static void test_states(void **state)
{
    const unsigned new = 1U << CONN_NEW, greeted = 1U << CONN_GREETED, ready = 1U << CONN_READY;

    (void)state;
    for (int i = 1; i < 60; i++) {
        const struct dispatch_row *row = dispatch_find((Satchel__Envelope__BodyCase)i);
        unsigned want = ready;

        if (row == NULL)
            continue;
        if (i == SATCHEL__ENVELOPE__BODY_HELLO)
            want = new;
        else if (i == SATCHEL__ENVELOPE__BODY_REGISTER || i == SATCHEL__ENVELOPE__BODY_LOGIN)
            want = greeted;
        else if (i == SATCHEL__ENVELOPE__BODY_PING || i == SATCHEL__ENVELOPE__BODY_BYE)
            want = greeted | ready;
        assert_int_equal(row->states, want);
        assert_int_equal(row->tail, i == SATCHEL__ENVELOPE__BODY_PUT_PIECE);
        assert_non_null(row->start);
    }
}

/* Messages that take far more memory than bytes on the wire. */
static void test_messages_that_grow(void **state)
{
    static uint8_t head[FRAME_HEAD_MAX];
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT, *back;
    Satchel__SealTransfer seal = SATCHEL__SEAL_TRANSFER__INIT;
    static Satchel__SealedSlot slots[257], *at[257];
    static uint8_t slot[512], metadata[32784];
    struct buf b = {0};
    size_t bytes = 0;

    (void)state;
    for (size_t i = 0; i + 3 <= sizeof(head); i += 3)
        memcpy(head + i, "\xc0\x0c", 3); /* field 200, which nobody knows, is 0 */
    assert_null(envelope_unpack(head, sizeof(head) / 3 * 3, &bytes));
    back = envelope_unpack(head, 300, &bytes);
    assert_non_null(back);
    satchel__envelope__free_unpacked(back, NULL);

    /* The largest request that makes sense. */
    for (size_t i = 0; i < 257; i++) {
        satchel__sealed_slot__init(&slots[i]);
        slots[i].user_id = (ProtobufCBinaryData){20, slot};
        slots[i].slot = (ProtobufCBinaryData){sizeof(slot), slot};
        at[i] = &slots[i];
    }
    seal.header = (ProtobufCBinaryData){1024, slot};
    seal.header.data = metadata;
    seal.signature = (ProtobufCBinaryData){64, slot};
    seal.metadata = (ProtobufCBinaryData){sizeof(metadata), metadata};
    seal.n_slots = 257;
    seal.slots = at;
    env.body_case = SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER;
    env.seal_transfer = &seal;
    assert_int_equal(envelope_pack(&env, &b, NULL), ERR_OK);
    back = envelope_unpack(b.data, b.len, &bytes);
    assert_non_null(back);
    assert_in_range(bytes, b.len, 2 * b.len);
    satchel__envelope__free_unpacked(back, NULL);
    buf_free(&b);
}

/* The code goes, whatever brought it; of others nothing is touched. */
static void test_codes_are_wiped(void **state)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__Release release = SATCHEL__RELEASE__INIT;
    Satchel__FactorRemove remove = SATCHEL__FACTOR_REMOVE__INIT;
    Satchel__Lookup lookup = SATCHEL__LOOKUP__INIT;
    char code[] = "123456", name[] = "bob", gone[sizeof(code)] = {0};

    (void)state;
    assert_false(envelope_wipe(NULL));
    assert_false(envelope_wipe(&env));
    env.body_case = SATCHEL__ENVELOPE__BODY_RELEASE;
    env.release = &release;
    assert_false(envelope_wipe(&env)); /* none came */
    release.code = code;
    assert_true(envelope_wipe(&env));
    assert_memory_equal(code, gone, sizeof(code));
    (void)memcpy(code, "654321", sizeof(code));
    env.body_case = SATCHEL__ENVELOPE__BODY_FACTOR_REMOVE;
    env.factor_remove = &remove;
    remove.code = code;
    assert_true(envelope_wipe(&env));
    assert_memory_equal(code, gone, sizeof(code));
    env.body_case = SATCHEL__ENVELOPE__BODY_LOOKUP;
    env.lookup = &lookup;
    lookup.who_case = SATCHEL__LOOKUP__WHO_USERNAME;
    lookup.username = name;
    assert_false(envelope_wipe(&env));
    assert_string_equal(name, "bob");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_every_code_has_words),
        cmocka_unit_test(test_which_may_be_tried_again),
        cmocka_unit_test(test_pack_and_unpack),
        cmocka_unit_test(test_messages_that_grow),
        cmocka_unit_test(test_each_request_has_a_row_and_no_reply_has),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_codes_are_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
