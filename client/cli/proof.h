/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof - the log of a transfer as a third party can check it: proto/FORMATS.md
 * section 14.7.  A proof is a JSON object, filled by the callbacks of
 * satchel_status_start(), freed with json_decref().
 *
 * Threads: one.
 */
#ifndef CLIENT_CLI_PROOF_H
#define CLIENT_CLI_PROOF_H

#include <jansson.h>

#include "client/satchel.h"

json_t *proof_new(void); /* NULL: no memory; the others take that */

/* What the callbacks were given, in any order. */
void proof_begin(json_t *proof, const struct satchel_proof *b);

/* One event more; rising. */
void proof_event(json_t *proof, const struct satchel_logged *e);

/* One manifest more. */
void proof_manifest(json_t *proof, const char *user_id, struct satchel_bytes manifest);

/* Write it to ${path}, which may exist.  SATCHEL_E_NOMEM, SATCHEL_E_IO. */
int proof_write(json_t *proof, const char *id, const char *path, struct satchel_error *err);

#endif /* CLIENT_CLI_PROOF_H */
