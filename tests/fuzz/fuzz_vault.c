/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vault's key file and records, as a thief of the disk could leave them.
 * The input: 1 byte how, then bytes, or changes to what is good: u16 place and
 * u8 bits each.  Nothing that was changed opens, and no error but the one for
 * it is given.
 */
#include <string.h>

#include "client/local/vault_record.h"
#include "common/crypto/hash.h"
#include "common/crypto/kdf.h"
#include "tests/fuzz/fuzz.h"

enum { FILE_RAW, FILE_SUMMED, FILE_CHANGED, RECORD_RAW, RECORD_CHANGED, RECORD_MOVED, HOWS };
enum { SUM_LEN = HASH_SHA256_LEN };

static struct vault_keys keys;
static struct secret device;
static const uint8_t id[VAULT_RECORD_ID_LEN] = {1, 2, 3};

static void make_keys(void)
{
    MUST(vault_file_new(&keys, NULL) == ERR_OK);
    MUST(secret_new(&device, VAULT_FILE_KEY_LEN, NULL) == ERR_OK);
    memset(device.data, 'd', device.len);
}

/* The sum finds damage before anything else does; it is no secret. */
static void mend_sum(struct buf *file)
{
    uint8_t sum[SUM_LEN];
    struct buf all = {0};

    if (file->len < SUM_LEN)
        return;
    buf_lp_str(&all, KDF_PREFIX "vault file");
    buf_put(&all, file->data, file->len - SUM_LEN);
    MUST(buf_check(&all, NULL) == ERR_OK && hash_sha256(sum, all.data, all.len) == ERR_OK);
    memcpy(file->data + file->len - SUM_LEN, sum, SUM_LEN);
    buf_free(&all);
}

static void change(struct buf *b, struct rd r)
{
    while (r.left >= 3) {
        size_t at = rd_u16(&r);

        b->data[at % b->len] ^= rd_u8(&r);
    }
}

static void copy(struct buf *to, const struct buf *from)
{
    buf_put(to, from->data, from->len);
    MUST(buf_check(to, NULL) == ERR_OK);
}

static bool equal(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* No passphrase is at hand: what somebody else wants scrypt to cost is not paid. */
static int unwrap(const struct buf *file)
{
    struct vault_factors factors = {.device = &device};
    struct vault_keys got = {0};
    struct err err = {0};
    struct vault_view view = {0};
    int look = vault_file_look(part(file->data, file->len), &view, &err);
    int rc = vault_file_unwrap(part(file->data, file->len), &factors, &got, &err);

    MUST(look == ERR_OK || look == ERR_PASSPHRASE || look == ERR_UNSUPPORTED);
    MUST(rc == ERR_OK || rc == ERR_PASSPHRASE || rc == ERR_UNSUPPORTED);
    MUST(rc != ERR_OK || (look == ERR_OK && !view.passphrase));
    if (rc == ERR_OK)
        MUST(secret_equal(got.master.data, keys.master.data, VAULT_FILE_KEY_LEN));
    else
        MUST(got.master.data == NULL && err.code == rc);
    vault_keys_free(&got);
    return rc;
}

static void play_file(unsigned how, struct rd r)
{
    struct vault_factors factors = {.device = &device};
    struct buf good = {0}, file = {0};

    MUST(vault_file_wrap(&keys, &factors, &good, NULL) == ERR_OK);
    if (how == FILE_CHANGED) {
        copy(&file, &good);
        change(&file, r);
    } else {
        buf_put(&file, r.p, r.left);
        MUST(buf_check(&file, NULL) == ERR_OK);
    }
    if (how != FILE_RAW)
        mend_sum(&file);
    MUST((unwrap(&file) == ERR_OK) == equal(&file, &good));
    buf_free(&good);
    buf_free(&file);
}

static int open_record(const struct vault_place *place, struct part sealed, struct part plain)
{
    struct err err = {0};
    uint64_t number = 0;
    size_t len = 0;
    uint8_t *out;
    int rc;

    if (vault_record_look(sealed, &number, &len, &err) != ERR_OK)
        return ERR_CORRUPT;
    MUST(len < sealed.len);
    out = malloc(len + 1);
    MUST(out != NULL);
    rc = vault_record_open(&keys, place, sealed, out, &err);
    MUST(rc == ERR_OK || rc == ERR_CORRUPT);
    if (rc == ERR_OK)
        MUST(len == plain.len && memcmp(out, plain.data, len) == 0);
    free(out);
    return rc;
}

static void play_record(unsigned how, struct rd r)
{
    static const char plain[] = "what is kept";
    static const uint8_t other[VAULT_RECORD_ID_LEN] = {9};
    struct vault_place place = {.table = "contact", .id = id, .number = 7};
    struct vault_place moved = place;
    struct buf good = {0}, sealed = {0};
    bool same = true;

    if (how == RECORD_RAW) {
        MUST(open_record(&place, part(r.p, r.left), PART_OF(plain)) == ERR_CORRUPT);
        return;
    }
    MUST(vault_record_seal(&keys, &place, PART_OF(plain), &good, NULL) == ERR_OK);
    copy(&sealed, &good);
    if (how == RECORD_CHANGED) {
        change(&sealed, r);
        same = equal(&sealed, &good);
    } else {
        uint8_t where = rd_u8(&r);

        moved.table = (where & 1) != 0 ? "chain" : place.table;
        moved.id = (where & 2) != 0 ? other : place.id;
        same = (where & 3) == 0;
    }
    MUST((open_record(&moved, part(sealed.data, sealed.len), PART_OF(plain)) == ERR_OK) == same);
    buf_free(&good);
    buf_free(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    unsigned how = rd_u8(&r) % HOWS;

    if (r.bad)
        return 0;
    if (device.data == NULL)
        make_keys();
    if (how <= FILE_CHANGED)
        play_file(how, r);
    else
        play_record(how, r);
    return 0;
}
