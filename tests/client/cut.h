/* SPDX-License-Identifier: Apache-2.0 */
/* cut - a connection that is lost at a certain message, once. */
#ifndef TESTS_CLIENT_CUT_H
#define TESTS_CLIENT_CUT_H

#include "tests/client/scene.h"

struct cut {
    Satchel__Envelope__BodyCase kind;
    unsigned after; /* let so many of them pass */
    bool done;
};

/* For fake.spoil and fake.listen, with a struct cut as fake.cookie: the connection goes instead of
 * the answer, or before the request is served. */
bool cut_answer(struct fake *f, Satchel__Envelope *r, struct buf *tail);
bool cut_request(struct fake *f, const Satchel__Envelope *e);

/* Nothing is cut, but the answer says that the server is busy. */
bool busy_answer(struct fake *f, Satchel__Envelope *r, struct buf *tail);

/* Open the handle again as one that waits ${ms} for a lost server. */
void patience(struct actor_handle *h, unsigned ms);

#endif /* TESTS_CLIENT_CUT_H */
