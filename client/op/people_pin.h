/* SPDX-License-Identifier: Apache-2.0 */
/* people_pin - what came of a person held against what is pinned, and pinned: for people.c alone.
 */
#ifndef CLIENT_OP_PEOPLE_PIN_H
#define CLIENT_OP_PEOPLE_PIN_H

#include "client/op/people.h"

/*
 * Check the manifests in p->raw against the pinned ones, which may be from another process and are
 * loaded again.  Only with the vault's lock, ${locked}, is anything written; without it ${ret_done}
 * tells whether nothing had to be.  When it is done p->contact is what is pinned, and p->fresh,
 * p->succeeded and p->address tell what is to be said of it.  ERR_KEYCHANGED: they do not follow
 * from the pinned ones; ERR_PROTO: there are none, or they are malformed; also the errors of
 * chain_add() and of the vault.  For workers.
 */
MUST_CHECK int people_pin(struct person *p, struct vault *v, bool locked, bool *ret_done,
                          struct err *err);

/* Is all that is to be pinned of him pinned already, as far as p->contact has it? */
bool people_is_pinned(const struct person *p);

/* Has the server, whose newest manifest of him is ${last}, no more to say of him than what was read
 * into p->contact at first?  Nearly always. */
bool people_is_as_before(const struct person *p, const Satchel__Signed *last);

#endif /* CLIENT_OP_PEOPLE_PIN_H */
