/* SPDX-License-Identifier: Apache-2.0 */
/* metadata: names, limits, padding, sealing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/transfer/metadata.h"
#include "proto/satchel.pb-c.h"
#include "tests/sample/sample.h"

static struct metadata plain_file(void)
{
    struct metadata m = {.length = 12345, .modified = SAMPLE_TIME};

    memcpy(m.name, "a\nb \"c\" \xff", 9);
    memcpy(m.media_type, "text/plain", 10);
    return m;
}

static void test_round_trip(void **state)
{
    struct metadata m = plain_file(), back = {0};
    struct secret mek = {0};
    struct tid tid = {{9}};
    struct buf sealed = {0};
    struct err err;

    (void)state;
    sample_secret("mek", &mek);
    m.kind = METADATA_ARCHIVE;
    m.message = strdup("gr\xc3\xbc\xc3\x9f dich");
    m.preview = malloc(200);
    m.preview_len = 200;
    memset(m.preview, 'g', 200);
    m.weights_told = true;
    memcpy(m.preview_weights, "\x01\0\xff\x7f", 4);
    assert_int_equal(metadata_seal(&mek, &tid, &m, &sealed, &err), ERR_OK);
    assert_int_equal(sealed.len, 1024 + 16);
    assert_int_equal(metadata_open(&mek, &tid, part(sealed.data, sealed.len), &back, &err), ERR_OK);
    assert_string_equal(back.name, m.name);
    assert_string_equal(back.media_type, m.media_type);
    assert_string_equal(back.message, m.message);
    assert_int_equal(back.preview_len, 200);
    assert_memory_equal(back.preview, m.preview, 200);
    assert_true(back.weights_told);
    assert_memory_equal(back.preview_weights, m.preview_weights, 4);
    assert_true(back.length == m.length && back.modified == m.modified && back.kind == m.kind);
    metadata_free(&m);
    metadata_free(&back);
    metadata_free(NULL);
    buf_free(&sealed);
    secret_free(&mek);
}

static void test_every_damage(void **state)
{
    struct metadata m = plain_file(), back = {0};
    struct secret mek = {0}, other = {0};
    struct tid tid = {{9}}, other_tid = {{8}};
    struct buf sealed = {0};
    struct err err;

    (void)state;
    sample_secret("mek", &mek);
    sample_secret("another", &other);
    assert_int_equal(metadata_seal(&mek, &tid, &m, &sealed, &err), ERR_OK);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= (uint8_t)(1U << i % 8);
        assert_int_equal(metadata_open(&mek, &tid, part(sealed.data, sealed.len), &back, &err),
                         ERR_INTEGRITY);
        sealed.data[i] ^= (uint8_t)(1U << i % 8);
        assert_int_not_equal(metadata_open(&mek, &tid, part(sealed.data, i), &back, &err), ERR_OK);
    }
    assert_int_equal(metadata_open(&other, &tid, part(sealed.data, sealed.len), &back, &err),
                     ERR_INTEGRITY);
    assert_int_equal(metadata_open(&mek, &other_tid, part(sealed.data, sealed.len), &back, &err),
                     ERR_INTEGRITY);
    assert_null(back.message);
    buf_free(&sealed);
    secret_free(&mek);
    secret_free(&other);
}

static void test_names(void **state)
{
    char long_name[257];
    struct err err;

    (void)state;
    memset(long_name, 'n', sizeof(long_name));
    assert_int_equal(metadata_check_name(part(long_name, 255), &err), ERR_OK);
    assert_int_equal(metadata_check_name(part(long_name, 256), &err), ERR_INVALID);
    assert_int_equal(metadata_check_name(part("", 0), &err), ERR_INVALID);
    assert_int_equal(metadata_check_name(part_str("."), &err), ERR_INVALID);
    assert_int_equal(metadata_check_name(part_str(".."), &err), ERR_INVALID);
    assert_int_equal(metadata_check_name(part_str("..."), &err), ERR_OK);
    assert_int_equal(metadata_check_name(part_str(".a"), &err), ERR_OK);
    assert_int_equal(metadata_check_name(part_str("a/b"), &err), ERR_INVALID);
    assert_int_equal(metadata_check_name(part_str("/"), &err), ERR_INVALID);
    assert_int_equal(metadata_check_name(part("a\0b", 3), &err), ERR_INVALID);
    assert_int_equal(metadata_check_name(part_str(" \x1b[31m\n\xff"), &err), ERR_OK);
}

/* The padded plaintext of a message that the packer would refuse. */
static void pack_raw(const Satchel__Metadata *msg, struct buf *out)
{
    size_t len = satchel__metadata__get_packed_size(msg);
    size_t padded = (4 + len + 1023) / 1024 * 1024;

    buf_reset(out);
    assert_non_null(buf_reserve(out, padded));
    memset(out->data, 0, padded);
    put_be32(out->data, (uint32_t)len);
    satchel__metadata__pack(msg, out->data + 4);
    out->len = padded;
}

static void test_hostile_fields(void **state)
{
    static char long_type[129], long_message[16386];
    static uint8_t long_preview[2049];
    Satchel__Metadata good = SATCHEL__METADATA__INIT, bad;
    struct metadata back = {0};
    struct buf plain = {0};
    struct err err;

    (void)state;
    memset(long_type, 't', sizeof(long_type) - 1);
    memset(long_message, 'm', sizeof(long_message) - 1);
    good.version = 1;
    good.name = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "n"};
    pack_raw(&good, &plain);
    assert_int_equal(metadata_unpack(part(plain.data, plain.len), &back, &err), ERR_OK);
    metadata_free(&back);
#define REFUSED(change, code)                                                                      \
    do {                                                                                           \
        bad = good;                                                                                \
        change;                                                                                    \
        pack_raw(&bad, &plain);                                                                    \
        assert_int_equal(metadata_unpack(part(plain.data, plain.len), &back, &err), code);         \
    } while (0)
    REFUSED(bad.version = 2, ERR_UNSUPPORTED);
    REFUSED(bad.version = 0, ERR_UNSUPPORTED);
    REFUSED(bad.kind = 7, ERR_UNSUPPORTED);
    REFUSED(bad.name.len = 0, ERR_INVALID);
    REFUSED(bad.name = ((ProtobufCBinaryData){2, (uint8_t *)(uintptr_t) "a"}), ERR_INVALID);
    REFUSED(bad.media_type = long_type, ERR_INVALID);
    REFUSED(bad.media_type = (char *)(uintptr_t) "\xff", ERR_INVALID);
    REFUSED(bad.message = long_message, ERR_INVALID);
    REFUSED(bad.message = (char *)(uintptr_t) "\xc0\xaf", ERR_INVALID);
    REFUSED(bad.preview = ((ProtobufCBinaryData){2049, long_preview}), ERR_INVALID);
    REFUSED(bad.preview_weights = ((ProtobufCBinaryData){4, long_preview}), ERR_INVALID);
    good.preview = (ProtobufCBinaryData){100, long_preview};
    REFUSED(bad.preview_weights = ((ProtobufCBinaryData){3, long_preview}), ERR_INVALID);
    REFUSED(bad.preview_weights = ((ProtobufCBinaryData){5, long_preview}), ERR_INVALID);
    REFUSED(bad.preview_weights = ((ProtobufCBinaryData){0, NULL}), ERR_OK);
    assert_false(back.weights_told); /* as senders left it who knew of no weights */
    metadata_free(&back);
#undef REFUSED
    long_type[127] = '\0';
    long_message[16384] = '\0';
    good.media_type = long_type;
    good.message = long_message;
    good.preview = (ProtobufCBinaryData){2048, long_preview};
    pack_raw(&good, &plain);
    assert_int_equal(metadata_unpack(part(plain.data, plain.len), &back, &err), ERR_OK);
    metadata_free(&back);
    buf_free(&plain);
}

static void test_padding(void **state)
{
    struct metadata m = plain_file(), back = {0};
    struct buf plain = {0};
    struct err err;

    (void)state;
    assert_int_equal(metadata_pack(&m, &plain, &err), ERR_OK);
    assert_int_equal(plain.len, 1024);
    assert_non_null(buf_reserve(&plain, 40000));
    memset(plain.data + 1024, 0, 40000);
#define UNPACK(len) metadata_unpack(part(plain.data, (len)), &back, &err)
    assert_int_equal(UNPACK(2048), ERR_INVALID); /* a step too many */
    assert_int_equal(UNPACK(1023), ERR_INVALID);
    assert_int_equal(UNPACK(0), ERR_INVALID);
    assert_int_equal(UNPACK(33 * 1024), ERR_INVALID);
    plain.data[1023] = 1;
    assert_int_equal(UNPACK(1024), ERR_INVALID);
    plain.data[1023] = 0;
    put_be32(plain.data, 1021);
    assert_int_equal(UNPACK(1024), ERR_INVALID);
    put_be32(plain.data, UINT32_MAX);
    assert_int_equal(UNPACK(1024), ERR_INVALID);
    memset(plain.data, 0, 1024); /* an empty message has no version */
    assert_int_equal(UNPACK(1024), ERR_UNSUPPORTED);
#undef UNPACK
    buf_free(&plain);
}

/* The step is where the length tells it. */
static void test_padding_steps(void **state)
{
    struct metadata m = plain_file(), back = {0};
    struct err err;

    (void)state;
    for (size_t len = 900; len < 1040; len++) {
        struct buf plain = {0};

        m.message = calloc(1, len + 1);
        memset(m.message, 'x', len);
        assert_int_equal(metadata_pack(&m, &plain, &err), ERR_OK);
        assert_int_equal(plain.len % 1024, 0);
        assert_int_equal(metadata_unpack(part(plain.data, plain.len), &back, &err), ERR_OK);
        assert_int_equal(strlen(back.message), len);
        metadata_free(&back);
        buf_free(&plain);
        free(m.message);
    }
}

static void test_pack_refuses(void **state)
{
    struct metadata m = plain_file();
    struct secret mek = {0};
    struct tid tid = {{0}};
    struct buf out = {0};
    struct err err;

    (void)state;
    memcpy(m.name, "a/b", 4);
    assert_int_equal(metadata_pack(&m, &out, &err), ERR_INVALID);
    m = plain_file();
    m.message = calloc(1, METADATA_MESSAGE_MAX + 2);
    memset(m.message, 'x', METADATA_MESSAGE_MAX + 1);
    assert_int_equal(metadata_pack(&m, &out, &err), ERR_INVALID);
    m.message[METADATA_MESSAGE_MAX] = '\0';
    assert_int_equal(metadata_pack(&m, &out, &err), ERR_OK);
    assert_int_equal(secret_new(&mek, 31, &err), ERR_OK);
    assert_int_equal(metadata_seal(&mek, &tid, &m, &out, &err), ERR_INVALID);
    metadata_free(&m);
    buf_free(&out);
    secret_free(&mek);
}

static void test_keys_are_separate(void **state)
{
    struct secret mek = {0}, preview = {0};
    struct tid tid = {{1}}, other = {{2}};
    struct hash32 mkid, mkid_other;

    (void)state;
    sample_secret("mek", &mek);
    assert_int_equal(metadata_mkid(&mek, &tid, &mkid), ERR_OK);
    assert_int_equal(metadata_mkid(&mek, &other, &mkid_other), ERR_OK);
    assert_memory_not_equal(&mkid, &mkid_other, 32);
    assert_int_equal(metadata_preview_key(&mek, &tid, &preview, NULL), ERR_OK);
    assert_memory_not_equal(&mkid, preview.data, 32);
    secret_free(&mek);
    secret_free(&preview);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_every_damage),
        cmocka_unit_test(test_names),        cmocka_unit_test(test_hostile_fields),
        cmocka_unit_test(test_padding),      cmocka_unit_test(test_padding_steps),
        cmocka_unit_test(test_pack_refuses), cmocka_unit_test(test_keys_are_separate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
