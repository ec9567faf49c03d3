/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prg - a long run of bytes from a short seed, fast: AES-256-CTR over zeros.
 *
 * For what training draws (weights, patterns, dropout), never for keys.
 *
 * Threads: one at a time for each object.  Never blocks.
 */
#ifndef MODELS_PRG_H
#define MODELS_PRG_H

#include <stddef.h>
#include <stdint.h>

#include "common/crypto/part.h"
#include "common/err.h"

struct prg;

/* The key is SHA-256(LP(label) || LP(seed) || u32 n).  ERR_NOMEM, ERR_INTERNAL. */
MUST_CHECK int prg_new(struct prg **ret_prg, const char *label, struct part seed, uint32_t n,
                       struct err *err);
void prg_free(struct prg *p); /* wipes; NULL is fine */

/* Should OpenSSL ever fail, the bytes are zeros and prg_failed() says so. */
void prg_bytes(struct prg *p, void *out, size_t len);
int prg_failed(const struct prg *p);

/* Numbers, uniform in their range. */
uint32_t prg_u32(struct prg *p);
uint32_t prg_below(struct prg *p,
                   uint32_t n); /* 0 to n - 1, n > 0; the bias of 2^-32 n is no matter here */
float prg_between(struct prg *p, float low, float high);

#endif /* MODELS_PRG_H */
