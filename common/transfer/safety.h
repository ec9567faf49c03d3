/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safety - the number two people compare to know that they have each other's
 * keys (proto/FORMATS.md section 4).
 *
 * Errors: ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_SAFETY_H
#define COMMON_TRANSFER_SAFETY_H

#include "common/transfer/manifest.h"

enum { SAFETY_DIGITS = 60, SAFETY_TEXT = 72 }; /* twelve groups of five digits, spaces, NUL */

/* From the identity keys of their newest manifests; the same whichever is named first. */
MUST_CHECK int safety_number(const struct manifest *one, const struct manifest *other,
                             char ret_text[SAFETY_TEXT]);

#endif /* COMMON_TRANSFER_SAFETY_H */
