/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge - lets a fuzzer say what only the holder of a key could say.
 *
 * In a message, a field of bytes that is one byte long stands for something
 * true: a tid of one byte for the ID of one of the world's transfers, a
 * signature of one byte for a good signature by one of its users, and so on;
 * the byte says which.  Times and lengths of 1 stand for the true ones, the
 * name and e-mail "dave" of a registration for Dave's.  All else stays as it is.
 */
#ifndef TESTS_FUZZ_FORGE_H
#define TESTS_FUZZ_FORGE_H

#include "tests/fuzz/world.h"

/* Put what is true into ${env}, as ${p} would send it. */
void forge_envelope(const struct world *w, struct peer *p, Satchel__Envelope *env);

/* The piece of parcel ${which}, as it was or would be sent. */
struct part forge_piece(const struct world *w, uint8_t which, uint32_t index);

#endif /* TESTS_FUZZ_FORGE_H */
