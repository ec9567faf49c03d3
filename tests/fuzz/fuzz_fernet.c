/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fernet tokens and key files.  The first byte says what follows: an even one
 * the text of a token under a fixed list of keys, an odd one a key file.
 */
#include <string.h>

#include "client/local/fernet_keys.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t keys[2 * FERNET_KEY_LEN] = "0123456789abcdef0123456789abcdef";

static int no_passphrase(void *cookie, struct secret *ret, struct err *err)
{
    (void)cookie;
    (void)ret;
    return err_set(err, ERR_PASSPHRASE, "none");
}

/* What opens was made by its key: sealed again with its IV it is the same text. */
static void check_token(struct part token)
{
    uint8_t *out = malloc(token.len + 1);
    const struct fernet_age age = {.limited = true, .ttl = 60, .now = 499162800};
    struct fernet_opened got = {0};

    MUST(out != NULL);
    if (fernet_open(PART_OF(keys), &(struct fernet_age){0}, token, out, &got) == ERR_OK) {
        struct buf again = {0};

        MUST(got.key < 2 && fernet_token_len(got.len) == token.len);
        MUST(fernet_rotate(PART_OF(keys), token, NULL, &again) == ERR_OK);
        MUST(again.len == token.len);
        buf_free(&again);
        (void)!fernet_open(PART_OF(keys), &age, token, out, &got);
    } else {
        for (size_t i = 0; i < token.len; i++)
            MUST(out[i] == 0);
        MUST(fernet_open(PART_OF(keys), &age, token, out, &got) != ERR_OK);
    }
    free(out);
}

/* A list that is read is made of keys whose texts are the file. */
static void check_file(struct part file)
{
    const struct fernet_keys_file f = {.bytes = file, .name = "file", .ask = no_passphrase};
    struct fernet_keys k = {0};

    if (fernet_keys_add(&k, &f, NULL) == ERR_OK) {
        const char *text = file.data;

        for (size_t i = 0; i < k.bytes.len / FERNET_KEY_LEN; i++) {
            char line[FERNET_KEY_TEXT + 1];

            fernet_key_write(line, k.bytes.data + i * FERNET_KEY_LEN);
            MUST(memcmp(line, text + i * (FERNET_KEY_TEXT + 1), FERNET_KEY_TEXT) == 0);
        }
    }
    fernet_keys_free(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && size <= 1 << 16) {
        if (data[0] % 2 == 0)
            check_token(part(data + 1, size - 1));
        else
            check_file(part(data + 1, size - 1));
    }
    return 0;
}
