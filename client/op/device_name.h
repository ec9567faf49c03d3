/* SPDX-License-Identifier: Apache-2.0 */
/* device_name - what this machine is called.  Threads: any. */
#ifndef CLIENT_OP_DEVICE_NAME_H
#define CLIENT_OP_DEVICE_NAME_H

#include "client/local/identity.h"

/*
 * ${name}, or the machine's host name if it is NULL; one that cannot be shown becomes "".
 * ERR_INVALID: ${name} is longer than 63 bytes, not UTF-8, or has control characters.
 */
MUST_CHECK int device_name_take(const char *name, char ret[IDENTITY_NAME_SIZE], struct err *err);

#endif /* CLIENT_OP_DEVICE_NAME_H */
