/* SPDX-License-Identifier: Apache-2.0 */
/* identity_priv - what the files of identity share; nobody else includes it. */
#ifndef CLIENT_LOCAL_IDENTITY_PRIV_H
#define CLIENT_LOCAL_IDENTITY_PRIV_H

#include "client/local/identity.h"

/* Draw an EK that begins ${now}, ms since 1970; ${ret_public} is its public half. */
MUST_CHECK int identity_draw_key(struct hedge *h, uint64_t now, struct identity_key *ret,
                                 uint8_t ret_public[IDS_KEY_LEN], struct err *err);

/* Wipe the key number ${i}; those behind it move up. */
void identity_erase_key(struct identity *id, size_t i);

/* Key and box of this device, as manifests list them. */
MUST_CHECK int identity_own_device(const struct identity *id, struct manifest_device *ret,
                                   struct err *err);

/* The oldest of ${n} devices that is revoked; ${n}: none is. */
size_t identity_oldest_revoked(const struct manifest_device *devices, size_t n);

#endif /* CLIENT_LOCAL_IDENTITY_PRIV_H */
