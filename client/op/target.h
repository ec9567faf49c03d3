/* SPDX-License-Identifier: Apache-2.0 */
/* target - which server a new profile is for, as the caller names it. */
#ifndef CLIENT_OP_TARGET_H
#define CLIENT_OP_TARGET_H

#include "client/local/settings.h"

struct target_options {
    const char *server, *pin, *ca_file; /* as in satchel_register_options */
};

/* Check and fill in the three.  ERR_INVALID; ERR_NOTFOUND: no such file of authorities. */
MUST_CHECK int target_take(const struct target_options *o, struct settings *ret, struct err *err);

#endif /* CLIENT_OP_TARGET_H */
