/* SPDX-License-Identifier: Apache-2.0 */
/* vault_file, vault_record: the key file under its factors, and records under the key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/hash.h"
#include "tests/unit/vault_fix.h"

static struct secret device_of(uint8_t fill)
{
    uint8_t bytes[VAULT_FILE_KEY_LEN];
    struct secret s = {0};

    memset(bytes, fill, sizeof(bytes));
    assert_int_equal(secret_copy(&s, bytes, sizeof(bytes), NULL), ERR_OK);
    return s;
}

/* ---- the key file ---- */

struct fixture {
    struct secret device, passphrase;
    struct vault_keys keys;
    struct buf without, with; /* wrapped under the device alone; under both */
};

static int setup(void **state)
{
    struct fixture *s = calloc(1, sizeof(*s));
    struct vault_factors f = {0};

    s->device = device_of(7);
    s->passphrase = vault_fix_secret("correct horse");
    assert_int_equal(vault_file_new(&s->keys, NULL), ERR_OK);
    f.device = &s->device;
    assert_int_equal(vault_file_wrap(&s->keys, &f, &s->without, NULL), ERR_OK);
    f.passphrase = &s->passphrase;
    assert_int_equal(vault_file_wrap(&s->keys, &f, &s->with, NULL), ERR_OK);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *s = *state;

    secret_free(&s->device);
    secret_free(&s->passphrase);
    vault_keys_free(&s->keys);
    buf_free(&s->without);
    buf_free(&s->with);
    free(s);
    return 0;
}

static int try_open(struct part file, const struct secret *passphrase, const struct secret *device)
{
    struct vault_factors f = {.passphrase = passphrase, .device = device};
    struct vault_keys keys = {0};
    struct err err = {0};
    int rc = vault_file_unwrap(file, &f, &keys, &err);

    if (rc != ERR_OK)
        assert_null(keys.master.data);
    if (rc == ERR_PASSPHRASE) {
        assert_string_equal(err.msg, "cannot open the vault: wrong passphrase or damaged vault");
        assert_string_not_equal(err.hint, "");
    }
    vault_keys_free(&keys);
    return rc;
}

static void opens_with_its_factors(void **state)
{
    struct fixture *s = *state;
    struct vault_factors f = {.passphrase = &s->passphrase, .device = &s->device};
    struct vault_keys keys = {0};
    struct vault_view view = {0};

    assert_int_equal(vault_file_unwrap(part(s->with.data, s->with.len), &f, &keys, NULL), ERR_OK);
    assert_memory_equal(keys.id, s->keys.id, sizeof(keys.id));
    assert_int_equal(keys.master.len, VAULT_FILE_KEY_LEN);
    assert_true(secret_equal(keys.master.data, s->keys.master.data, keys.master.len));
    vault_keys_free(&keys);
    assert_int_equal(try_open(part(s->without.data, s->without.len), NULL, &s->device), ERR_OK);
    /* A passphrase that is not asked for does no harm. */
    assert_int_equal(try_open(part(s->without.data, s->without.len), &s->passphrase, &s->device),
                     ERR_OK);
    assert_int_equal(vault_file_look(part(s->with.data, s->with.len), &view, NULL), ERR_OK);
    assert_true(view.passphrase);
    assert_int_equal(vault_file_look(part(s->without.data, s->without.len), &view, NULL), ERR_OK);
    assert_false(view.passphrase || view.keyring);
    assert_memory_equal(view.id, s->keys.id, sizeof(view.id));
}

static void wrong_factors_give_one_error(void **state)
{
    struct fixture *s = *state;
    struct part with = part(s->with.data, s->with.len),
                without = part(s->without.data, s->without.len);
    struct secret other = vault_fix_secret("correct horsf"), device = device_of(8), empty = {0};

    assert_int_equal(try_open(with, &other, &s->device), ERR_PASSPHRASE);
    assert_int_equal(try_open(with, &s->passphrase, &device), ERR_PASSPHRASE);
    assert_int_equal(try_open(with, NULL, &s->device), ERR_PASSPHRASE);
    assert_int_equal(try_open(with, &empty, &s->device), ERR_PASSPHRASE);
    assert_int_equal(try_open(with, &s->passphrase, NULL), ERR_PASSPHRASE);
    assert_int_equal(try_open(without, NULL, &device), ERR_PASSPHRASE);
    assert_int_equal(try_open(without, NULL, &other), ERR_PASSPHRASE);
    assert_int_equal(try_open(without, NULL, NULL), ERR_PASSPHRASE);
    secret_free(&other);
    secret_free(&device);
}

static void every_flipped_bit_is_found(void **state)
{
    struct fixture *s = *state;

    for (size_t i = 0; i < s->without.len * 8; i++) {
        s->without.data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(try_open(part(s->without.data, s->without.len), NULL, &s->device),
                         ERR_PASSPHRASE);
        s->without.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    /* With the passphrase as well: damage is found before scrypt is paid for. */
    for (size_t i = 0; i < s->with.len; i++) {
        s->with.data[i] ^= 0x10;
        assert_int_equal(try_open(part(s->with.data, s->with.len), &s->passphrase, &s->device),
                         ERR_PASSPHRASE);
        s->with.data[i] ^= 0x10;
    }
}

static void every_truncation_is_found(void **state)
{
    struct fixture *s = *state;

    for (size_t n = 0; n < s->without.len; n++)
        assert_int_equal(try_open(part(s->without.data, n), NULL, &s->device), ERR_PASSPHRASE);
    buf_u8(&s->without, 0);
    assert_int_equal(try_open(part(s->without.data, s->without.len), NULL, &s->device),
                     ERR_PASSPHRASE);
    s->without.len--;
}

/* Put a right checksum on a changed file: only the checks behind it are left. */
static void mend(struct buf *file)
{
    struct buf sum = {0};

    buf_lp_str(&sum, "satchel/1 vault file");
    buf_put(&sum, file->data, file->len - 32);
    assert_int_equal(hash_sha256(file->data + file->len - 32, sum.data, sum.len), ERR_OK);
    buf_free(&sum);
}

static void with_right_checksum(void **state)
{
    enum { VERSION = 11, POLICY = 31, COUNT = 35, KIND = 39, LENGTH = 43, SALT = 44 };
    static const struct {
        size_t at;
        uint8_t value;
        int code;
    } rows[] = {
        {VERSION, 2, ERR_UNSUPPORTED}, {POLICY, 2, ERR_UNSUPPORTED}, {KIND, 9, ERR_UNSUPPORTED},
        {COUNT, 0, ERR_PASSPHRASE},    {COUNT, 2, ERR_PASSPHRASE},   {COUNT, 200, ERR_PASSPHRASE},
        {LENGTH, 31, ERR_PASSPHRASE},  {LENGTH, 33, ERR_PASSPHRASE}, {LENGTH, 255, ERR_PASSPHRASE},
        {SALT, 0x55, ERR_PASSPHRASE},  {KIND, 1, ERR_PASSPHRASE},    {12, 0x55, ERR_PASSPHRASE},
    };
    struct fixture *s = *state;
    struct part file = part(s->without.data, s->without.len);

    mend(&s->without);
    assert_int_equal(try_open(file, NULL, &s->device), ERR_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t old = s->without.data[rows[i].at];

        s->without.data[rows[i].at] = (uint8_t)(rows[i].value == old ? old + 1 : rows[i].value);
        mend(&s->without);
        assert_int_equal(try_open(file, NULL, &s->device), rows[i].code);
        s->without.data[rows[i].at] = old;
    }
    mend(&s->without);
}

static void costs_are_limited(void **state)
{
    /* The numbers of scrypt behind the salt of the first factor. */
    static const struct {
        size_t at;
        uint8_t value;
    } rows[] = {{44 + 32 + 3, 23}, {44 + 32 + 3, 0}, {44 + 36 + 3, 33}, {44 + 36 + 3, 0},
                {44 + 40 + 3, 17}, {44 + 40 + 3, 0}, {44 + 32, 1}};
    struct fixture *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t old = s->with.data[rows[i].at];

        s->with.data[rows[i].at] = rows[i].value;
        mend(&s->with);
        assert_int_equal(try_open(part(s->with.data, s->with.len), &s->passphrase, &s->device),
                         ERR_PASSPHRASE);
        s->with.data[rows[i].at] = old;
    }
    mend(&s->with);
}

static void two_factors_of_a_kind_are_refused(void **state)
{
    struct fixture *s = *state;
    struct buf twice = {0};
    size_t factor = 40;

    buf_put(&twice, s->without.data, 36 + factor);
    buf_put(&twice, s->without.data + 36, s->without.len - 36);
    twice.data[35] = 2;
    mend(&twice);
    assert_int_equal(try_open(part(twice.data, twice.len), NULL, &s->device), ERR_PASSPHRASE);
    buf_free(&twice);
}

/* The same secret, kept elsewhere: the kind says so, and is under the checksum and in the key. */
static void secret_of_the_keyring(void **state)
{
    struct fixture *s = *state;
    struct vault_factors f = {.device = &s->device, .keyring = true};
    struct secret other = device_of(8);
    struct vault_view view = {0};
    struct buf file = {0}, both = {0};

    assert_int_equal(vault_file_wrap(&s->keys, &f, &file, NULL), ERR_OK);
    assert_int_equal(file.len, s->without.len);
    assert_int_equal(vault_file_look(part(file.data, file.len), &view, NULL), ERR_OK);
    assert_true(view.keyring && !view.passphrase);
    assert_int_equal(try_open(part(file.data, file.len), NULL, &s->device), ERR_OK);
    assert_int_equal(try_open(part(file.data, file.len), NULL, &other), ERR_PASSPHRASE);
    assert_int_equal(try_open(part(file.data, file.len), NULL, NULL), ERR_PASSPHRASE);
    /* In both places: refused. */
    buf_put(&both, s->without.data, 36 + 40);
    buf_put(&both, file.data + 36, file.len - 36);
    both.data[35] = 2;
    mend(&both);
    assert_int_equal(vault_file_look(part(both.data, both.len), &view, NULL), ERR_PASSPHRASE);
    assert_int_equal(try_open(part(both.data, both.len), NULL, &s->device), ERR_PASSPHRASE);
    /* Changed to a file: found by the checksum, and behind it by the key. */
    file.data[39] = VAULT_DEVICE;
    assert_int_equal(vault_file_look(part(file.data, file.len), &view, NULL), ERR_PASSPHRASE);
    mend(&file);
    assert_int_equal(try_open(part(file.data, file.len), NULL, &s->device), ERR_PASSPHRASE);
    /* And cut short. */
    file.data[39] = VAULT_KEYRING;
    file.data[43] = 31;
    mend(&file);
    assert_int_equal(vault_file_look(part(file.data, file.len), &view, NULL), ERR_PASSPHRASE);
    buf_free(&file);
    buf_free(&both);
    secret_free(&other);
}

static void wrapping_needs_a_factor(void **state)
{
    struct fixture *s = *state;
    struct vault_factors none = {0};
    struct buf out = {0};

    assert_int_equal(vault_file_wrap(&s->keys, &none, &out, NULL), ERR_INVALID);
    assert_int_equal(out.len, 0);
}

/* ---- records ---- */

static void record_is_bound_to_its_place(void **state)
{
    static const uint8_t id[16] = {1}, other_id[16] = {2};
    struct fixture *s = *state;
    struct vault_place place = {"contact", id, 5}, other_table = {"contacu", id, 5},
                       other = {"contact", other_id, 5};
    struct vault_keys stranger = {0};
    struct buf sealed = {0};
    struct part all;
    uint8_t out[16];
    uint64_t number = 0;
    size_t len = 0;

    assert_int_equal(
        vault_record_seal(&s->keys, &place, part("sixteen bytes...", 16), &sealed, NULL), ERR_OK);
    assert_int_equal(sealed.len, 16 + VAULT_RECORD_OVERHEAD);
    all = part(sealed.data, sealed.len);
    assert_int_equal(vault_record_look(all, &number, &len, NULL), ERR_OK);
    assert_int_equal(number, 5);
    assert_int_equal(len, 16);
    place.number = 99; /* not read */
    assert_int_equal(vault_record_open(&s->keys, &place, all, out, NULL), ERR_OK);
    assert_memory_equal(out, "sixteen bytes...", 16);
    assert_int_equal(vault_record_open(&s->keys, &other_table, all, out, NULL), ERR_CORRUPT);
    assert_int_equal(vault_record_open(&s->keys, &other, all, out, NULL), ERR_CORRUPT);
    assert_int_equal(vault_file_new(&stranger, NULL), ERR_OK);
    assert_int_equal(vault_record_open(&stranger, &place, all, out, NULL), ERR_CORRUPT);
    for (size_t i = 0; i < sealed.len * 8; i++) {
        sealed.data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(vault_record_open(&s->keys, &place, all, out, NULL), ERR_CORRUPT);
        sealed.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < sealed.len; n++)
        assert_int_equal(vault_record_open(&s->keys, &place, part(sealed.data, n), out, NULL),
                         ERR_CORRUPT);
    vault_keys_free(&stranger);
    buf_free(&sealed);
}

static void sealing_twice_differs(void **state)
{
    static const uint8_t id[16] = {1};
    struct fixture *s = *state;
    struct vault_place place = {"contact", id, 1};
    struct buf a = {0}, b = {0};

    assert_int_equal(vault_record_seal(&s->keys, &place, part("x", 1), &a, NULL), ERR_OK);
    assert_int_equal(vault_record_seal(&s->keys, &place, part("x", 1), &b, NULL), ERR_OK);
    assert_memory_not_equal(a.data, b.data, a.len);
    buf_free(&a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_with_its_factors),
        cmocka_unit_test(wrong_factors_give_one_error),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(every_truncation_is_found),
        cmocka_unit_test(with_right_checksum),
        cmocka_unit_test(costs_are_limited),
        cmocka_unit_test(two_factors_of_a_kind_are_refused),
        cmocka_unit_test(secret_of_the_keyring),
        cmocka_unit_test(wrapping_needs_a_factor),
        cmocka_unit_test(record_is_bound_to_its_place),
        cmocka_unit_test(sealing_twice_differs),
    };

    return cmocka_run_group_tests_name("key file of a vault", tests, setup, teardown);
}
