/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words - the recovery seed as 24 English words (BIP-39 encoding of 256 bits
 * with its 8-bit checksum; not BIP-39's key derivation).  Threads: any.
 */
#ifndef COMMON_CRYPTO_WORDS_H
#define COMMON_CRYPTO_WORDS_H

#include "common/err.h"
#include "common/secret.h"

enum { WORDS_SEED_LEN = 32, WORDS_COUNT = 24 };

/* The words with single spaces between them and a NUL, which ret_text->len counts. */
MUST_CHECK int words_from_seed(const uint8_t seed[WORDS_SEED_LEN], struct secret *ret_text,
                               struct err *err);

/*
 * Read NUL-terminated words in any case, with any white space around them, and with their numbers
 * before them, as in "7 zoo" or "7. zoo", if they are the right ones.  ERR_INVALID names the
 * position of a word that is not in the list (never the word), or says how many words there are, or
 * that they do not fit together.
 */
MUST_CHECK int words_to_seed(const char *text, struct secret *ret_seed, struct err *err);

#endif /* COMMON_CRYPTO_WORDS_H */
