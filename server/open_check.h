/* SPDX-License-Identifier: Apache-2.0 */
/* open_check - what of an OpenTransfer can be judged by itself: sizes, limits, times, roles. */
#ifndef SERVER_OPEN_CHECK_H
#define SERVER_OPEN_CHECK_H

#include "common/transfer/ids.h"
#include "proto/satchel.pb-c.h"
#include "server/settings.h"

/*
 * Is what ${caller} asks for sound, and within the limits of ${set}?  Times are held against the
 * daemon's clock.  ERR_INVALID: malformed, contradictory, or out of time; ERR_TOOLARGE: over a
 * limit; ERR_UNSUPPORTED: a policy or a role that is unknown.  Each with what to say.
 */
MUST_CHECK int open_check(const Satchel__OpenTransfer *msg, const struct settings *set,
                          const struct uid *caller, struct err *err);

#endif /* SERVER_OPEN_CHECK_H */
