/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recovery - the recovery key (RK, Ed25519), which is never stored: it comes out of the 256-bit
 * seed, and the seed out of the 24 words (FORMATS.md section 2).
 *
 * Errors: ERR_INVALID (not 24 good words), ERR_NOMEM, ERR_INTERNAL.  Threads: any.
 */
#ifndef CLIENT_LOCAL_RECOVERY_H
#define CLIENT_LOCAL_RECOVERY_H

#include "common/err.h"
#include "common/secret.h"

/* The private half, 32 bytes, from a seed of WORDS_SEED_LEN bytes. */
MUST_CHECK int recovery_key(const struct secret *seed, struct secret *ret, struct err *err);

/* The same from NUL-terminated words, as words_to_seed() reads them. */
MUST_CHECK int recovery_key_of_words(const char *words, struct secret *ret, struct err *err);

#endif /* CLIENT_LOCAL_RECOVERY_H */
