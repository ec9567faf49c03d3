/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/words.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/crypto/wordlist.h"

enum { BITS_PER_WORD = 11, RAW_LEN = WORDS_SEED_LEN + 1 }; /* 264 bits: seed and checksum byte */

/* Bits ${at} to ${at} + 10 of ${raw}, which lie in at most three bytes. */
static unsigned get_word(const uint8_t raw[RAW_LEN], size_t at)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (at / 8 + i < RAW_LEN ? raw[at / 8 + i] : 0u);
    return bits >> (24 - BITS_PER_WORD - at % 8) & (WORDLIST_COUNT - 1);
}

static void put_word(uint8_t raw[RAW_LEN], size_t at, unsigned word)
{
    const uint32_t bits = (uint32_t)word << (24 - BITS_PER_WORD - at % 8);

    for (size_t i = 0; i < 3 && at / 8 + i < RAW_LEN; i++)
        raw[at / 8 + i] |= (uint8_t)(bits >> (16 - 8 * i));
}

int words_from_seed(const uint8_t seed[WORDS_SEED_LEN], struct secret *ret_text, struct err *err)
{
    uint8_t raw[RAW_LEN], digest[HASH_SHA256_LEN];
    struct secret text = {0};
    size_t at = 0;
    int rc = hash_sha256(digest, seed, WORDS_SEED_LEN);

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot hash the seed");
    memcpy(raw, seed, WORDS_SEED_LEN);
    raw[WORDS_SEED_LEN] = digest[0];
    rc = secret_new(&text, WORDS_COUNT * (WORDLIST_WORD_MAX + 1), err);
    for (size_t i = 0; rc == ERR_OK && i < WORDS_COUNT; i++) {
        const char *word = wordlist_word(get_word(raw, i * BITS_PER_WORD));

        memcpy(text.data + at, word, strlen(word));
        at += strlen(word);
        text.data[at++] = i + 1 < WORDS_COUNT ? ' ' : '\0';
    }
    if (rc == ERR_OK) {
        secret_truncate(&text, at);
        secret_move(ret_text, &text);
    }
    secret_wipe(raw, sizeof(raw));
    secret_wipe(digest, sizeof(digest));
    return rc;
}

/* White space of a terminal or a file, whatever the locale. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word of ${*text} in lower case; false at the end.  A word too long comes cut, which is
 * in no list. */
static bool next_word(const char **text, char word[WORDLIST_WORD_MAX + 2])
{
    const char *p = *text;
    size_t len = 0;

    while (is_space(*p))
        p++;
    for (; *p != '\0' && !is_space(*p); p++)
        if (len <= WORDLIST_WORD_MAX)
            word[len++] = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    word[len] = '\0';
    *text = p;
    return len > 0;
}

/*
 * "7", "7." or "7)": copied along from a numbered list.  Counted with three digits at most: there
 * are not more words than that.
 */
static bool is_number(const char *word, size_t *ret)
{
    size_t digits = strspn(word, "0123456789");

    if (digits == 0 || digits > 3 || strcspn(word + digits, ".)") != 0 ||
        (word[digits] != '\0' && word[digits + 1] != '\0'))
        return false;
    *ret = strtoul(word, NULL, 10);
    return true;
}

static int read_words(const char *text, uint8_t raw[RAW_LEN], struct err *err)
{
    char word[WORDLIST_WORD_MAX + 2];
    size_t n = 0, number;
    int rc = ERR_OK;

    while (rc == ERR_OK && next_word(&text, word)) {
        const int index = wordlist_find(word);

        if (is_number(word, &number)) {
            if (number != n + 1)
                rc = err_set(err, ERR_INVALID, "number %zu stands where word %zu should be", number,
                             n + 1);
            continue;
        }
        n++;
        if (index < 0)
            rc = err_set(err, ERR_INVALID, "word %zu is not in the list of words", n);
        else if (n <= WORDS_COUNT)
            put_word(raw, (n - 1) * BITS_PER_WORD, (unsigned)index);
    }
    secret_wipe(word, sizeof(word));
    if (rc == ERR_OK && n != WORDS_COUNT)
        rc = err_set(err, ERR_INVALID, "%zu words, not %d", n, WORDS_COUNT);
    return rc;
}

int words_to_seed(const char *text, struct secret *ret_seed, struct err *err)
{
    uint8_t raw[RAW_LEN] = {0}, digest[HASH_SHA256_LEN] = {0};
    int rc = read_words(text, raw, err);

    if (rc == ERR_OK) {
        rc = hash_sha256(digest, raw, WORDS_SEED_LEN);
        if (rc != ERR_OK)
            (void)err_set(err, rc, "cannot hash the seed");
    }
    if (rc == ERR_OK && !secret_equal(digest, raw + WORDS_SEED_LEN, 1))
        rc = err_set(err, ERR_INVALID,
                     "the words do not fit together: one is wrong or out of order");
    if (rc == ERR_OK)
        rc = secret_copy(ret_seed, raw, WORDS_SEED_LEN, err);
    secret_wipe(raw, sizeof(raw));
    secret_wipe(digest, sizeof(digest));
    return rc;
}
