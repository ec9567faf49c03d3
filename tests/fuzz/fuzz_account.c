/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Account records as a daemon could give them: bytes as they come, or changes
 * to a good one (first byte 1; then u16 place and u8 bits each).  What opens
 * is what was sealed.
 */
#include <string.h>

#include "common/transfer/account.h"
#include "tests/fuzz/fuzz.h"

static const char words[] = "keys, contacts, groups";
static struct secret box;
static struct buf good;

static void make(void)
{
    struct secret seed = {0}, key = {0}, ephemeral = {0};
    uint8_t public[1][IDS_KEY_LEN], sig[SIGNED_SIG_LEN];
    struct account_plan plan = {.number = 1,
                                .boxes = (const uint8_t(*)[IDS_KEY_LEN]) public,
                                .n_boxes = 1,
                                .content_key = &key,
                                .ephemeral = &ephemeral,
                                .device_key = &seed};

    MUST(secret_new(&seed, 32, NULL) == ERR_OK && secret_new(&key, 32, NULL) == ERR_OK &&
         secret_new(&ephemeral, 32, NULL) == ERR_OK);
    MUST(account_recovery_box(&seed, &box, public[0], NULL) == ERR_OK);
    MUST(account_seal(&plan, part_str(words), &good, sig, NULL) == ERR_OK);
    secret_free(&seed);
    secret_free(&key);
    secret_free(&ephemeral);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    struct account_claim claim;
    struct secret plain = {0};
    struct buf body = {0};

    if (good.len == 0)
        make();
    if (rd_u8(&r) == 1) {
        buf_put(&body, good.data, good.len);
        MUST(buf_check(&body, NULL) == ERR_OK);
        while (r.left >= 3) {
            size_t at = rd_u16(&r);

            body.data[at % body.len] ^= rd_u8(&r);
        }
    } else {
        buf_put(&body, r.p, r.left);
    }
    if (account_open(part(body.data, body.len), &box, &plain, NULL) == ERR_OK) {
        MUST(account_peek(part(body.data, body.len), &claim, NULL) == ERR_OK);
        MUST(plain.len == strlen(words) &&
             memcmp(plain.data, words, plain.len) == 0); /* public: a test's */
    }
    secret_free(&plain);
    buf_free(&body);
    return 0;
}
