/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cursor - numbers that this profile remembers of the server, each a record of
 * the vault (proto/FORMATS.md section 15.2): the last event that was told, the second factor that
 * was.
 *
 * Touches the disk: not for the loop thread.  Threads: any.
 */
#ifndef CLIENT_LOCAL_CURSOR_H
#define CLIENT_LOCAL_CURSOR_H

#include "client/local/vault.h"

#define CURSOR_WATCH      "watch"
#define CURSOR_FACTOR     "factor"     /* ms since 1970: when it was enrolled; 0: there is none */
#define CURSOR_OWN_FACTOR "own factor" /* the same of the one that was enrolled with this vault */

/* ERR_NOTFOUND: none was noted yet. */
MUST_CHECK int cursor_load(struct vault *v, const char *name, uint64_t *ret, struct err *err);

/* The same where it does not matter why there is none, or none that can be read: 0. */
uint64_t cursor_known(struct vault *v, const char *name);

/* Durable when it returns.  Takes the vault's lock. */
MUST_CHECK int cursor_save(struct vault *v, const char *name, uint64_t value, struct err *err);

#endif /* CLIENT_LOCAL_CURSOR_H */
