/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repin - the key that will take the place of the server's pinned one, as the server announces it
 * over a connection that the pinned key has authenticated.
 *
 * Threads: the loop's own.  Never blocks: settings are written on a worker.
 */
#ifndef CLIENT_CORE_REPIN_H
#define CLIENT_CORE_REPIN_H

#include "client/core/link.h"

/* How the server of ${target} is to be judged, but for its name.  ERR_INVALID: not a pin. */
MUST_CHECK int repin_verify(const struct settings *target, struct tls_verify *ret, struct err *err);

/* Settings are written, or not: ${why}, else NULL. */
typedef void repin_kept_cb(struct link *l, const struct err *why);

/*
 * Keep the pins of ${l} in the settings of the profile, which is open.  ERR_NOMEM, ERR_INTERNAL: it
 * has not begun; else ${kept} is called once, in a later turn of the loop.
 */
MUST_CHECK int repin_keep(struct link *l, repin_kept_cb *kept, struct err *err);

/*
 * Right after the greeting: the key that was seen is the pin from here on, the one announced, if
 * any, may come in its place.  A change of the pin is told as a notice; both are kept in the
 * profile's settings, if there is one.  What cannot be kept is found again by the next connection.
 * An announcement counts only if the server key has signed it (proto/FORMATS.md section 5), which
 * is the one that the profile's server ID stands for: without a signature it is ignored, with a
 * notice; ERR_PIN: the signature is somebody else's, and the connection must not be used.
 */
MUST_CHECK int repin_look(struct link *l, struct err *err);

#endif /* CLIENT_CORE_REPIN_H */
