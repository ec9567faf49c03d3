/* SPDX-License-Identifier: Apache-2.0 */
/* fake_serve - what a fake answers.  Only for fake.c. */
#ifndef TESTS_CLIENT_FAKE_SERVE_H
#define TESTS_CLIENT_FAKE_SERVE_H

#include "tests/client/fake.h"
#include "tests/must.h"

/* Serve ${e} into ${r}, an empty envelope with its id; ${tail} of a piece may be taken. */
void fake_serve(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r, struct buf *tail);

/* Let the test have an answer, then send it and empty it. */
void fake_answer(struct fake *f, Satchel__Envelope *reply, struct buf *tail);

/* The transfer of the caller's with this ID; NULL: an error is the answer. */
struct fake_transfer *fake_wanted(struct fake *f, ProtobufCBinaryData tid, Satchel__Envelope *r);

/* A fresh message of a kind, from malloc(), so that the envelope's freeing takes it; such bytes. */
void *fake_make(const ProtobufCMessageDescriptor *d);
void *fake_clone(const ProtobufCMessage *m);
ProtobufCBinaryData fake_bytes(const void *data, size_t len);
ProtobufCBinaryData fake_copy(ProtobufCBinaryData b);
void fake_done(Satchel__Envelope *r);

/* ---- fake_log.c: what happens to a transfer after its seal ---- */

void fake_log_stored(const struct fake *f, struct fake_transfer *t);
void fake_log_status(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r);
void fake_log_receipt(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r);
void fake_log_extend(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r);
void fake_log_events(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r);

#endif /* TESTS_CLIENT_FAKE_SERVE_H */
