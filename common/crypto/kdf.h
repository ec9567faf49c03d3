/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kdf - the key derivations of satchel/1 (FORMATS.md, conventions).
 *
 * Every name is written here without its prefix "satchel/1 ", which these
 * functions put in front, so that no key can be derived without it.
 *
 * The result of kdf_f() may go to the memory of its key; that of kdf_xpd() overlaps neither key nor
 * context.  Errors: ERR_INVALID (a part
 * over 4 GiB, over KDF_PARTS_MAX parts, a name over LABEL_NAME_MAX, a context
 * over KDF_CTX_MAX, HKDF's limits), ERR_NOMEM, ERR_INTERNAL.
 * Threads: any.  Never blocks.
 */
#ifndef COMMON_CRYPTO_KDF_H
#define COMMON_CRYPTO_KDF_H

#include "common/crypto/label.h"
#include "common/crypto/part.h"
#include "common/err.h"

/* For labels that are put together at compile time. */
#define KDF_PREFIX LABEL_PREFIX

enum { KDF_LEN = 32, KDF_PARTS_MAX = 16, KDF_CTX_MAX = 1024 };

/*
 * F(k,"name",a,b...): the first 32 bytes of HMAC-SHA512(k, LP("satchel/1 name")||LP(a)||LP(b)...),
 * at most KDF_PARTS_MAX parts; numbers are passed as their 4 or 8 bytes, big-endian.
 * ${parts} may be NULL when ${n} is 0.
 */
MUST_CHECK int kdf_f(uint8_t ret_out[KDF_LEN], struct part key, const char *name,
                     const struct part *parts, size_t n);

/* XPD(prk,"satchel/1 name",ctx,len): HKDF-Expand-SHA512 of LP("satchel/1 name")||LP(ctx), as
 * hkdf_expand(). */
MUST_CHECK int kdf_xpd(struct part prk, const char *name, struct part ctx, uint8_t *out,
                       size_t len);

#endif /* COMMON_CRYPTO_KDF_H */
