/* SPDX-License-Identifier: Apache-2.0 */
/* fake_serve - what a fake answers.  Only for fake.c. */
#ifndef TESTS_CLIENT_FAKE_SERVE_H
#define TESTS_CLIENT_FAKE_SERVE_H

#include "tests/client/fake.h"

/* Serve ${e} into ${r}, an empty envelope with its id; ${tail} of a piece may be taken. */
void fake_serve(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r, struct buf *tail);

/* Let the test have an answer, then send it and empty it. */
void fake_answer(struct fake *f, Satchel__Envelope *reply, struct buf *tail);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif /* TESTS_CLIENT_FAKE_SERVE_H */
