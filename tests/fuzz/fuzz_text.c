/* SPDX-License-Identifier: Apache-2.0 */
/* What people type: user IDs, pins, recovery words, addresses, hex. */
#include <string.h>

#include "common/buf.h"
#include "common/crypto/b64url.h"
#include "common/crypto/bech32m.h"
#include "common/crypto/hex.h"
#include "common/crypto/words.h"
#include "common/net/addr.h"
#include "common/net/pin.h"
#include "tests/fuzz/fuzz.h"

static void try_bech32m(const char *text)
{
    struct bech32m read;
    uint8_t data[20];
    char again[BECH32M_TEXT_MAX + 1];

    if (bech32m_parse(text, &read, NULL) == ERR_OK)
        MUST(strlen(read.prefix) + read.n < BECH32M_TEXT_MAX);
    if (bech32m_decode(text, "sat", data, sizeof(data), NULL) != ERR_OK)
        return;
    MUST(bech32m_encode(again, "sat", (struct part){data, sizeof(data)}) == ERR_OK);
    MUST(strcasecmp(again, text) == 0);
}

static void try_words(const char *text)
{
    struct secret seed = {0}, again = {0}, words = {0};

    if (words_to_seed(text, &seed, NULL) == ERR_OK) {
        MUST(words_from_seed(seed.data, &words, NULL) == ERR_OK);
        MUST(words_to_seed((const char *)words.data, &again, NULL) == ERR_OK);
        MUST(seed.len == again.len && secret_equal(seed.data, again.data, seed.len));
    }
    secret_free(&seed);
    secret_free(&again);
    secret_free(&words);
}

static void try_addr(const char *text)
{
    struct addr addr, again;
    char printed[ADDR_TEXT];

    (void)addr_parse_listen(&addr, text, NULL);
    if (addr_parse(&addr, text, NULL) != ERR_OK)
        return;
    addr_format(&addr, printed);
    MUST(addr_parse(&again, printed, NULL) == ERR_OK);
    MUST(again.port == addr.port && strcasecmp(again.host, addr.host) == 0);
}

static void try_b64url(const char *text, size_t len)
{
    uint8_t *bytes = malloc(len + 3);
    char *again = malloc(2 * len + 8);
    size_t n = 0;

    MUST(bytes != NULL && again != NULL);
    if (b64url_decode(bytes, &n, text, len) == ERR_OK) {
        b64url_encode(again, bytes, n);
        MUST(strlen(again) == len && memcmp(again, text, len) == 0);
    }
    (void)hex_decode(bytes, text, len);
    free(bytes);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct pin pin;

    MUST(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    try_bech32m(text);
    try_words(text);
    try_addr(text);
    try_b64url(text, strlen(text));
    (void)pin_decode(&pin, text, NULL);
    free(text);
    return 0;
}
