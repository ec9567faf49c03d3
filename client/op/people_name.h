/* SPDX-License-Identifier: Apache-2.0 */
/* people_name - what a person is called, for people.c alone. */
#ifndef CLIENT_OP_PEOPLE_NAME_H
#define CLIENT_OP_PEOPLE_NAME_H

#include "client/op/people.h"

/*
 * What p->who stands for: a contact or a user ID, then p->known and p->uid are set; a username,
 * which only the server can tell; an address, then p->email is set.  ERR_INVALID: none of them,
 * with a hint.  Also the errors of the vault.  For workers.
 */
MUST_CHECK int people_identify(struct person *p, struct vault *v, struct err *err);

#endif /* CLIENT_OP_PEOPLE_NAME_H */
