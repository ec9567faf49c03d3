/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview - the two layers of a picture's preview: its latent is sealed as a
 * Fernet token under a key of its own, and the token travels in the metadata,
 * which AES-256-GCM seals (FORMATS.md section 8).
 *
 * The cascade is as strong as its outer layer.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_PREVIEW_H
#define COMMON_TRANSFER_PREVIEW_H

#include "common/transfer/metadata.h"

/*
 * Seal ${latent}, at most PREVIEW_LATENT_MAX bytes, into ${m}->preview in place
 * of another one.  ${now} is in seconds since 1970.  ERR_INVALID: no latent, or
 * too long; ERR_NOMEM, ERR_INTERNAL.
 */
enum { PREVIEW_LATENT_MAX = 1024 };
MUST_CHECK int preview_seal(struct metadata *m, const struct secret *mek, const struct tid *tid,
                            uint64_t now, struct part latent, struct err *err);

/*
 * Open ${m}->preview into ${out}, of PREVIEW_LATENT_MAX bytes.  ERR_NOTFOUND: there is none;
 * ERR_INTEGRITY: it is no token of this transfer, or its latent is too long.
 */
MUST_CHECK int preview_open(const struct metadata *m, const struct secret *mek,
                            const struct tid *tid, uint8_t out[PREVIEW_LATENT_MAX], size_t *ret_len,
                            struct err *err);

#endif /* COMMON_TRANSFER_PREVIEW_H */
