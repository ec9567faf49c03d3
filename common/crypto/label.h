/* SPDX-License-Identifier: Apache-2.0 */
/* label - "satchel/1 <name>", the domain of a key, hash or signature.  Pure.  Threads: any. */
#ifndef COMMON_CRYPTO_LABEL_H
#define COMMON_CRYPTO_LABEL_H

#include "common/crypto/part.h"
#include "common/err.h"

#define LABEL_PREFIX "satchel/1 "

enum { LABEL_NAME_MAX = 64, LABEL_MAX = 4 + sizeof(LABEL_PREFIX) - 1 + LABEL_NAME_MAX };

struct label {
    uint8_t bytes[LABEL_MAX];
    size_t len;
};

/* Make it from a name without the prefix.  ERR_INVALID if the name is over LABEL_NAME_MAX. */
MUST_CHECK int label_make(struct label *ret_label, const char *name);

/* "satchel/1 <name>" and LP("satchel/1 <name>"); they live as long as ${l}. */
struct part label_text(const struct label *l);
struct part label_lp(const struct label *l);

#endif /* COMMON_CRYPTO_LABEL_H */
