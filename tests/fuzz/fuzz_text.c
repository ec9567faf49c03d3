/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people type: user IDs, recovery words, pins, and the text forms below
 * them.  Each reader takes only what its writer writes, but for letter case
 * and white space where that is allowed.
 */
#include <string.h>

#include "common/crypto/b64url.h"
#include "common/crypto/bech32m.h"
#include "common/crypto/hex.h"
#include "common/crypto/uid.h"
#include "common/crypto/words.h"
#include "common/net/pin.h"
#include "tests/fuzz/fuzz.h"

static void try_bech32m(const char *text)
{
    struct bech32m read;
    uint8_t uid[UID_LEN];
    char again[UID_TEXT_SIZE];

    if (bech32m_parse(text, &read, NULL) == ERR_OK) {
        MUST(strlen(read.prefix) + 1 + read.n + 6 == strlen(text));
        for (size_t i = 0; i < read.n; i++)
            MUST(read.groups[i] < 32);
    }
    if (uid_from_text(uid, text, NULL) == ERR_OK) {
        uid_to_text(again, uid);
        MUST(strcasecmp(again, text) == 0);
    }
}

static void try_words(const char *text)
{
    struct secret seed = {0}, again = {0}, words = {0};

    if (words_to_seed(text, &seed, NULL) == ERR_OK) {
        MUST(seed.len == WORDS_SEED_LEN && words_from_seed(seed.data, &words, NULL) == ERR_OK);
        MUST(words_to_seed((const char *)words.data, &again, NULL) == ERR_OK);
        MUST(again.len == WORDS_SEED_LEN && secret_equal(seed.data, again.data, seed.len));
    }
    secret_free(&seed);
    secret_free(&again);
    secret_free(&words);
}

static void try_b64url(const char *text, size_t len)
{
    uint8_t *bytes = malloc(len / 4 * 3 + 2); /* what the header asks for */
    char *again;
    size_t n = 0;

    MUST(bytes != NULL);
    if (b64url_decode(bytes, &n, text, len) == ERR_OK) {
        again = malloc(b64url_len(n) + 1);
        MUST(again != NULL && b64url_len(n) == len);
        b64url_encode(again, bytes, n);
        MUST(memcmp(again, text, len) == 0);
        free(again);
    }
    free(bytes);
}

static void try_hex(const char *text, size_t len)
{
    uint8_t *bytes = malloc(len / 2 + 1);
    char *again = malloc(len + 1);

    MUST(bytes != NULL && again != NULL);
    if (hex_decode(bytes, text, len) == ERR_OK) {
        hex_encode(again, bytes, len / 2);
        MUST(strcasecmp(again, text) == 0);
    }
    free(bytes);
    free(again);
}

static void try_pin(const char *text)
{
    struct pin pin;
    char again[PIN_CHARS + 1];

    if (pin_decode(&pin, text, NULL) == ERR_OK) {
        pin_encode(&pin, again);
        MUST(strcmp(again, text) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    MUST(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    try_bech32m(text);
    try_words(text);
    try_b64url((const char *)data, size); /* counted texts may hold a NUL, and have none behind */
    try_hex(text, strlen(text));
    try_pin(text);
    free(text);
    return 0;
}
