/* SPDX-License-Identifier: Apache-2.0 */
/* wire: what is wiped of a message before it is freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/transfer/wire.h"

/* Everything that a message may have: bytes, text, messages in it, many of each, one of several. */
static Satchel__Envelope *envelope(void)
{
    static uint8_t share[32], raw[512];
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT, *ret;
    Satchel__OpenTransferReply m = SATCHEL__OPEN_TRANSFER_REPLY__INIT;
    Satchel__SlotShares s[2] = {SATCHEL__SLOT_SHARES__INIT, SATCHEL__SLOT_SHARES__INIT};
    Satchel__SlotShares *list[2] = {&s[0], &s[1]};

    memset(share, 7, sizeof(share));
    s[0].share_meta = s[1].share_body = (ProtobufCBinaryData){sizeof(share), share};
    m.tid = (ProtobufCBinaryData){16, share};
    m.shares = list;
    m.n_shares = 2;
    e.id = 3;
    e.body_case = SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY;
    e.open_transfer_reply = &m;
    assert_true(satchel__envelope__get_packed_size(&e) <= sizeof(raw));
    ret = satchel__envelope__unpack(NULL, satchel__envelope__pack(&e, raw), raw);
    assert_non_null(ret);
    return ret;
}

static void assert_wiped(const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        assert_int_equal(((const uint8_t *)data)[i], 0);
}

static void test_bytes_are_wiped(void **state)
{
    Satchel__Envelope *e = envelope();
    const Satchel__OpenTransferReply *m = e->open_transfer_reply;

    (void)state;
    wire_wipe(&e->base);
    assert_wiped(m->tid.data, m->tid.len);
    assert_wiped(m->shares[0]->share_meta.data, 32);
    assert_wiped(m->shares[1]->share_body.data, 32);
    assert_int_equal(m->shares[1]->share_meta.len, 0);
    satchel__envelope__free_unpacked(e, NULL);
}

static void test_text_is_wiped(void **state)
{
    char first[] = "AAAA BBBB", second[] = "", *codes[] = {first, second};
    Satchel__FactorConfirmReply m = SATCHEL__FACTOR_CONFIRM_REPLY__INIT;

    (void)state;
    m.n_recovery_codes = 2;
    m.recovery_codes = codes;
    wire_wipe(&m.base);
    assert_wiped(first, sizeof(first));
}

/* Who has taken a part out of it leaves nothing there; an empty message has nothing. */
static void test_what_is_not_there(void **state)
{
    Satchel__Envelope *e = envelope(), none = SATCHEL__ENVELOPE__INIT;

    (void)state;
    wire_wipe(&none.base);
    satchel__open_transfer_reply__free_unpacked(e->open_transfer_reply, NULL);
    e->open_transfer_reply = NULL;
    wire_wipe(&e->base);
    satchel__envelope__free_unpacked(e, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_wiped),
        cmocka_unit_test(test_text_is_wiped),
        cmocka_unit_test(test_what_is_not_there),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
