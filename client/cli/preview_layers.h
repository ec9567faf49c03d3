/* SPDX-License-Identifier: Apache-2.0 */
/* preview_layers - the two layers a preview travels in, shown step by step.  Threads: one. */
#ifndef CLIENT_CLI_PREVIEW_LAYERS_H
#define CLIENT_CLI_PREVIEW_LAYERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/*
 * Seal ${latent} as a Fernet token, that by AES-256-GCM, under keys drawn for
 * it; open both again, and print a row for each step.  ERR_INTEGRITY if what
 * comes out is not what went in.
 */
MUST_CHECK int preview_layers(const uint8_t *latent, size_t len, struct err *err);

#endif /* CLIENT_CLI_PREVIEW_LAYERS_H */
