/* SPDX-License-Identifier: Apache-2.0 */
/* wire_err - errors as the server says them (proto/PROTOCOL.md section 5), as ours. */
#ifndef CLIENT_CORE_WIRE_ERR_H
#define CLIENT_CORE_WIRE_ERR_H

#include "common/err.h"
#include "proto/satchel.pb-c.h"

/* Fill ${err} from an Error message, whose text is made safe to print; returns the code. */
int wire_err(const Satchel__Error *e, struct err *err);

/* Put the server's advice, to come back in ${ms} milliseconds (0: none), into ${err}. */
void wire_wait(uint64_t ms, struct err *err);

#endif /* CLIENT_CORE_WIRE_ERR_H */
