/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vault's key file and records: as they come, and with a right checksum, so
 * that what lies behind it is reached.  The factor at hand is the device secret
 * 07 07 ...: a passphrase would cost half a second each.
 */
#include <string.h>

#include "client/local/vault_record.h"
#include "common/crypto/hash.h"
#include "tests/fuzz/fuzz.h"

enum { SUM_LEN = 32 };

static struct secret device;

static void open_file(struct part file)
{
    struct vault_factors f = {.device = &device};
    struct vault_keys keys = {0};
    struct err err;
    struct buf again = {0};
    bool passphrase;
    int rc = vault_file_unwrap(file, &f, &keys, &err);

    if (rc != ERR_OK) {
        MUST(rc == ERR_PASSPHRASE || rc == ERR_UNSUPPORTED);
        MUST(keys.master.data == NULL);
        return;
    }
    MUST(vault_file_look(file, &passphrase, &err) == ERR_OK && !passphrase);
    MUST(vault_file_wrap(&keys, &f, &again, &err) == ERR_OK);
    vault_keys_free(&keys);
    MUST(vault_file_unwrap(part(again.data, again.len), &f, &keys, &err) == ERR_OK);
    vault_keys_free(&keys);
    buf_free(&again);
}

static void with_checksum(const uint8_t *data, size_t size)
{
    struct buf label = {0}, file = {0};
    uint8_t sum[SUM_LEN];

    if (size > SUM_LEN)
        size -= SUM_LEN; /* in the place of the one it has */
    buf_lp_str(&label, "satchel/1 vault file");
    buf_put(&file, data, size);
    MUST(hash_parts(HASH_SHA256, sum,
                    PARTS(part(label.data, label.len), part(file.data, file.len))) == ERR_OK);
    buf_put(&file, sum, sizeof(sum));
    open_file(part(file.data, file.len));
    buf_free(&label);
    buf_free(&file);
}

static void open_record(struct part sealed)
{
    static const uint8_t id[VAULT_RECORD_ID_LEN];
    struct vault_place place = {.table = "fuzz", .id = id};
    struct vault_keys keys = {0};
    struct err err;
    uint64_t number;
    uint8_t *out;
    size_t len = 0;
    int rc = vault_record_look(sealed, &number, &len, &err);

    if (rc != ERR_OK) {
        MUST(rc == ERR_CORRUPT);
        return;
    }
    MUST(len + VAULT_RECORD_OVERHEAD == sealed.len);
    MUST(secret_copy(&keys.master, device.data, device.len, &err) == ERR_OK);
    out = malloc(len + 1);
    MUST(out != NULL);
    rc = vault_record_open(&keys, &place, sealed, out, &err);
    MUST(rc == ERR_OK || rc == ERR_CORRUPT);
    free(out);
    vault_keys_free(&keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t seven[VAULT_FILE_KEY_LEN];

    if (device.data == NULL) {
        memset(seven, 7, sizeof(seven));
        MUST(secret_copy(&device, seven, sizeof(seven), NULL) == ERR_OK);
    }
    open_file(part(data, size));
    with_checksum(data, size);
    open_record(part(data, size));
    return 0;
}
