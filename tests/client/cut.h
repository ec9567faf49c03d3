/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that is cut in the middle of a transfer. */
#ifndef TESTS_CLIENT_CUT_H
#define TESTS_CLIENT_CUT_H

#include "tests/client/scene.h"

enum {
    CUT_PIECES = 20,
    CUT_LENGTH = (CUT_PIECES - 1) * 262144 + 4321, /* bytes: of a file of so many pieces */
    CUT_RETRY = 60000                              /* ms: for who tries again until it works */
};

/* Cut the connection instead of an answer, or of serving a request, once. */
struct cut {
    Satchel__Envelope__BodyCase kind;
    unsigned after; /* let so many of them pass; counted down */
    bool done;
};

/* For `spoil` and `listen` of a fake whose cookie is a struct cut. They return true for what goes
 * its way. */
bool cut_answer(struct fake *f, Satchel__Envelope *r, struct buf *tail);
bool cut_request(struct fake *f, const Satchel__Envelope *e);

/* As cut_answer(), but the server has no room for the moment, and says so. */
bool cut_busy(struct fake *f, Satchel__Envelope *r, struct buf *tail);

/* Whether it is now: once, for what is of this kind. For what goes wrong in other ways. */
bool cut_is_now(struct cut *c, Satchel__Envelope__BodyCase kind);

/* Where the bytes of a file begin to move: a rate counts from there.  Set it to UINT64_MAX, and
 * give the other to what is begun. */
extern uint64_t cut_moves_from;
void cut_on_progress(void *cookie, const struct satchel_progress *p);

/* Bob gets what was sent last, and it is the file. */
void assert_bob_gets_it(struct scene *g);

#endif /* TESTS_CLIENT_CUT_H */
