/* SPDX-License-Identifier: Apache-2.0 */
/* ids, signed, login and utf8: identifiers, names, signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/transfer/ids.h"
#include "common/transfer/login.h"
#include "common/transfer/signed.h"
#include "common/transfer/utf8.h"
#include "tests/sample/sample.h"

static void test_uid_text(void **state)
{
    struct uid uid = {{0}}, back;
    char text[IDS_UID_TEXT];
    struct err err;

    (void)state;
    sample_fill(3, uid.b, sizeof(uid.b));
    ids_uid_to_text(&uid, text);
    assert_int_equal(strlen(text), IDS_UID_TEXT - 1);
    assert_memory_equal(text, "sat1", 4);
    assert_int_equal(ids_uid_from_text(text, &back, &err), ERR_OK);
    assert_memory_equal(&uid, &back, sizeof(uid));
    text[7] = text[7] == 'q' ? 'p' : 'q';
    assert_int_equal(ids_uid_from_text(text, &back, &err), ERR_INVALID);
    assert_int_equal(ids_uid_from_text("", &back, &err), ERR_INVALID);
}

static void test_tid_text(void **state)
{
    struct tid tid, back;
    char text[IDS_TID_TEXT];
    struct err err;

    (void)state;
    sample_fill(4, tid.b, sizeof(tid.b));
    ids_tid_to_text(&tid, text);
    assert_int_equal(ids_tid_from_text(text, &back, &err), ERR_OK);
    assert_memory_equal(&tid, &back, sizeof(tid));
    assert_int_equal(ids_tid_from_text("00112233445566778899AABBCCDDEEFF", &back, &err), ERR_OK);
    assert_int_equal(ids_tid_from_text("00112233445566778899aabbccddeef", &back, &err),
                     ERR_INVALID);
    assert_int_equal(ids_tid_from_text("00112233445566778899aabbccddeefg", &back, &err),
                     ERR_INVALID);
    assert_int_equal(ids_tid_from_text("00112233445566778899aabbccddeeff0", &back, &err),
                     ERR_INVALID);
}

/* Keys of different kinds never share an ID, even with the same bytes. */
static void test_ids_are_separate(void **state)
{
    uint8_t key[32];
    struct uid uid, swapped;
    struct device_id device;
    struct ek_id ek, other_suite;
    struct server_id server;

    (void)state;
    sample_bytes("key", key);
    assert_int_equal(ids_device(key, &device), ERR_OK);
    assert_int_equal(ids_ek(1, PART_OF(key), &ek), ERR_OK);
    assert_int_equal(ids_ek(2, PART_OF(key), &other_suite), ERR_OK);
    assert_int_equal(ids_server(key, &server), ERR_OK);
    assert_memory_not_equal(&device, &ek, 16);
    assert_memory_not_equal(&ek, &other_suite, 16);
    assert_memory_not_equal(&server, &device, 16);
    assert_int_equal(ids_uid(key, key, &uid), ERR_OK);
    key[0] ^= 1;
    assert_int_equal(ids_uid(key, key, &swapped), ERR_OK);
    assert_memory_not_equal(&uid, &swapped, sizeof(uid));
}

static void test_usernames(void **state)
{
    static const char *const good[] = {"a", "bob", "b.o-b_1", "01234567890123456789012345678901"};
    static const char *const bad[] = {
        "", "Bob", "b b", "b/b", "b\xc3\xa4", "b\n", "012345678901234567890123456789012"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(ids_check_username(good[i], &err), ERR_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ids_check_username(bad[i], &err), ERR_INVALID);
}

static void test_emails(void **state)
{
    static const char *const bad[] = {"",      "a",     "@",     "a@",     "@b",
                                      "a@b@c", "a b@c", "a@b\n", "a\x7f@b"};
    char long_one[300], folded[IDS_EMAIL_TEXT];
    struct err err;

    (void)state;
    assert_int_equal(ids_fold_email("Bob.X@Example.ORG", folded, &err), ERR_OK);
    assert_string_equal(folded, "bob.x@example.org");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(ids_check_email(bad[i], &err), ERR_INVALID);
        assert_int_equal(ids_fold_email(bad[i], folded, &err), ERR_INVALID);
    }
    assert_string_equal(folded, "bob.x@example.org"); /* untouched */
    memset(long_one, 'x', sizeof(long_one));
    long_one[1] = '@';
    long_one[254] = '\0';
    assert_int_equal(ids_fold_email(long_one, folded, &err), ERR_OK);
    long_one[254] = 'x';
    long_one[255] = '\0';
    assert_int_equal(ids_fold_email(long_one, folded, &err), ERR_INVALID);
}

static void test_utf8(void **state)
{
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc3\xa4",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xef\xbf\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\xaf",
                                      "\xe0\x80\xaf",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\xaf",
                                      "\xf4\x90\x80\x80",
                                      "\xff",
                                      "a\xe2\x82"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(utf8_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(utf8_valid(bad[i]));
}

static void test_signed(void **state)
{
    struct sample_user u;
    uint8_t sig[SIGNED_SIG_LEN], back[SIGNED_SIG_LEN];
    struct part body = part_str("body"), other = part_str("bodx");
    struct buf raw = {0}, out = {0};
    struct secret short_key = {0};
    struct err err;

    (void)state;
    sample_user(&u, "alice");
    assert_int_equal(signed_make(SIGNED_LOGIN, &u.isk, body, sig, &err), ERR_OK);
    assert_int_equal(signed_check(SIGNED_LOGIN, u.isk_public, body, PART_OF(sig), &err), ERR_OK);
    assert_int_equal(signed_check(SIGNED_LOGIN, u.isk_public, other, PART_OF(sig), &err),
                     ERR_INTEGRITY);
    assert_int_equal(signed_check(SIGNED_REGISTER, u.isk_public, body, PART_OF(sig), &err),
                     ERR_INTEGRITY);
    assert_int_equal(signed_check(SIGNED_LOGIN, u.rk_public, body, PART_OF(sig), &err),
                     ERR_INTEGRITY);
    assert_int_equal(signed_check(SIGNED_LOGIN, u.isk_public, body, part(sig, 63), &err),
                     ERR_INTEGRITY);
    assert_int_equal(secret_new(&short_key, 31, &err), ERR_OK);
    assert_int_equal(signed_make(SIGNED_LOGIN, &short_key, body, sig, &err), ERR_INVALID);

    assert_int_equal(signed_pack(body, PART_OF(sig), &raw, &err), ERR_OK);
    assert_int_equal(signed_unpack(part(raw.data, raw.len), 4, &out, back, &err), ERR_OK);
    assert_int_equal(out.len, 4);
    assert_memory_equal(back, sig, sizeof(sig));
    assert_int_equal(signed_unpack(part(raw.data, raw.len), 3, &out, back, &err), ERR_INVALID);
    assert_int_equal(signed_unpack(part(raw.data, raw.len - 1), 4, &out, back, &err), ERR_INVALID);
    buf_reset(&raw);
    assert_int_equal(signed_pack(body, part(sig, 63), &raw, &err), ERR_OK);
    assert_int_equal(signed_unpack(part(raw.data, raw.len), 4, &out, back, &err), ERR_INVALID);
    buf_free(&raw);
    buf_free(&out);
    secret_free(&short_key);
    sample_user_free(&u);
}

static void test_registration(void **state)
{
    struct sample_user u;
    struct login_registration r = {.username = "alice", .email = "alice@example.org"}, bad;
    uint8_t sig[SIGNED_SIG_LEN];
    struct err err;

    (void)state;
    sample_user(&u, "alice");
    r.manifest = u.first->hash;
    assert_int_equal(login_register_sign(&r, &u.isk, sig, &err), ERR_OK);
    assert_int_equal(login_register_check(&r, u.isk_public, PART_OF(sig), &err), ERR_OK);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        bad = r;                                                                                   \
        change;                                                                                    \
        assert_int_equal(login_register_check(&bad, u.isk_public, PART_OF(sig), &err),             \
                         ERR_INTEGRITY);                                                           \
    } while (0)
    REFUSED(bad.server.b[0] ^= 1);
    REFUSED(bad.exporter[31] ^= 1);
    REFUSED(bad.username = "alicf");
    REFUSED(bad.email = "alice@example.com");
    REFUSED(bad.manifest.b[5] ^= 1);
    REFUSED((bad.username = "alic", bad.email = "ealice@example.org"));
#undef REFUSED
    r.username = "012345678901234567890123456789012";
    assert_int_equal(login_register_sign(&r, &u.isk, sig, &err), ERR_INVALID);
    sample_user_free(&u);
}

static void test_login(void **state)
{
    struct sample_user u;
    struct login l = {.time = SAMPLE_TIME}, bad;
    uint8_t sig[SIGNED_SIG_LEN];
    struct err err;

    (void)state;
    sample_user(&u, "alice");
    l.uid = u.uid;
    l.device = u.device.id;
    assert_int_equal(login_sign(&l, &u.dsk, sig, &err), ERR_OK);
    assert_int_equal(login_check(&l, u.device.key, PART_OF(sig), &err), ERR_OK);
    assert_int_equal(login_check(&l, u.isk_public, PART_OF(sig), &err), ERR_INTEGRITY);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        bad = l;                                                                                   \
        change;                                                                                    \
        assert_int_equal(login_check(&bad, u.device.key, PART_OF(sig), &err), ERR_INTEGRITY);      \
    } while (0)
    REFUSED(bad.server.b[19] ^= 1);
    REFUSED(bad.nonce[0] ^= 1);
    REFUSED(bad.exporter[0] ^= 1);
    REFUSED(bad.uid.b[0] ^= 1);
    REFUSED(bad.device.b[0] ^= 1);
    REFUSED(bad.time++);
#undef REFUSED
    sample_user_free(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uid_text),
        cmocka_unit_test(test_tid_text),
        cmocka_unit_test(test_ids_are_separate),
        cmocka_unit_test(test_usernames),
        cmocka_unit_test(test_emails),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_signed),
        cmocka_unit_test(test_registration),
        cmocka_unit_test(test_login),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
