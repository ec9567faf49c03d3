/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring - device secrets in the desktop's keyring: the Secret Service of the session bus, through
 * libsecret, which is loaded when one is asked for and not before.
 *
 * An item has the schema `org.satchel.DeviceSecret`, the vault ID as its attribute `vault`, and the
 * secret as its value, both as hex digits (proto/FORMATS.md section 15.1).
 *
 * No dialog is opened, and a call ends within KEYRING_WAIT_MS whether the bus answers or not.
 * Threads: any; it blocks, so not the loop thread.
 * Errors: ERR_IO with what to do in the hint (built without it, no libsecret, no bus, no keyring,
 * locked, no such item, too late), ERR_NOMEM.
 */
#ifndef CLIENT_LOCAL_KEYRING_H
#define CLIENT_LOCAL_KEYRING_H

#include <stdbool.h>

#include "client/local/vault_file.h"

enum { KEYRING_WAIT_MS = 5000 };

/* Is somebody at a desktop here, whose keyring new secrets may go to unasked? */
bool keyring_at_desktop(void);

/* Store ${secret} (VAULT_FILE_KEY_LEN bytes), in place of another one of the same vault, and read
 * it back. */
MUST_CHECK int keyring_put(const uint8_t vault[VAULT_FILE_ID_LEN], const struct secret *secret,
                           struct err *err);

/* The one that was stored for this vault. */
MUST_CHECK int keyring_get(const uint8_t vault[VAULT_FILE_ID_LEN], struct secret *ret,
                           struct err *err);

/* Remove it if that can be done; what stays there opens nothing. */
void keyring_forget(const uint8_t vault[VAULT_FILE_ID_LEN]);

#endif /* CLIENT_LOCAL_KEYRING_H */
