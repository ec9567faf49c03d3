/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_small_frames - the frames and messages of a small send (proto/PROTOCOL.md section 2), as
 * cheap as they can be had: a flight leaves with one call and arrives with one.
 *
 * Every function ends the program when it fails.  Threads: one at a time for each flight.
 */
#ifndef TESTS_BENCH_BENCH_SMALL_FRAMES_H
#define TESTS_BENCH_BENCH_SMALL_FRAMES_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "common/crypto/part.h"
#include "proto/satchel.pb-c.h"

/* Frames that are gathered to leave together, or that have arrived.  Zero-initialise. */
struct flight {
    size_t len, at; /* bytes that are there, that were taken */
    bool ended;     /* the other side has gone */
    uint8_t bytes[16384];
};

/* A frame that was taken; head and tail are views of its flight. */
struct message {
    Satchel__Envelope *e; /* to be freed with satchel__envelope__free_unpacked() */
    struct part head, tail;
};

/* Append a frame; its id is 1, as nobody waits for two answers of a kind. */
void flight_put(struct flight *f, Satchel__Envelope *e, struct part tail);

/* Send all that was put; the flight is empty then. */
void flight_say(struct flight *f, SSL *ssl);

/* Read what is there.  True: so many frames are whole; false: not yet, or it has ended. */
bool flight_hear(struct flight *f, SSL *ssl, size_t frames);

/* The next frame, which is whole and of kind ${body}. */
struct message flight_take(struct flight *f, Satchel__Envelope__BodyCase body);

/* All was taken, and no view is in use any more. */
void flight_done(struct flight *f);

#endif /* TESTS_BENCH_BENCH_SMALL_FRAMES_H */
