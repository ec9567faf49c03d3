/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invite - codes that let somebody register.  The store knows only hashes.
 *
 * A code is 128 random bits in base64url (22 characters).  Its hash is
 * h(LP("satchel/1 invite") || LP(code)).  Threads: any.
 */
#ifndef SERVER_INVITE_H
#define SERVER_INVITE_H

#include <stdint.h>

#include "common/err.h"

enum { INVITE_TEXT = 23, INVITE_HASH_LEN = 32 };

/* ERR_INTERNAL: the random number generator failed. */
MUST_CHECK int invite_make(char ret_code[INVITE_TEXT], uint8_t ret_hash[INVITE_HASH_LEN]);

/* ERR_INVALID: cannot be a code. */
MUST_CHECK int invite_hash(const char *code, uint8_t ret_hash[INVITE_HASH_LEN]);

#endif /* SERVER_INVITE_H */
