/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world - a whole daemon in this process, with users and transfers, to fuzz:
 * its own loop, store, key network and share service; connections through
 * mem_stream.h; a clock that stands still (daemon_time() is replaced).
 *
 * tests/integration/parcel.h works against it: peers are those of world.c,
 * whatever port they name.
 *
 * One world at a time.  Functions abort() when they fail.  Threads: one.
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include "server/daemon.h"
#include "tests/fuzz/mem_stream.h"
#include "tests/fuzz/scratch.h"
#include "tests/integration/parcel.h"

enum world_user { WORLD_ALICE, WORLD_BOB, WORLD_CAROL, WORLD_DAVE, WORLD_USERS };

enum world_parcel {
    WORLD_SENT,  /* Alice to Bob; of two pieces */
    WORLD_ONCE,  /* Alice to Bob, who may open it once */
    WORLD_BEGUN, /* Alice to Bob; not sealed, no piece is there */
    WORLD_PARCELS
};

struct world {
    char dir[SCRATCH_PATH];
    struct daemon *d;
    struct actor who[WORLD_USERS]; /* Dave is not registered */
    struct parcel parcel[WORLD_PARCELS];
    struct manifest *next; /* of Alice, not stored */
    uint32_t round;        /* refreshed so often */
    uint64_t writes;       /* of the store, when it was */
    char dave[32];
};

/* Make one in a folder of its own, in memory where the system has a place for that. */
void world_open(struct world *w);

/* What a conversation may have used up; bits. */
enum world_stale {
    WORLD_STALE_SENT = 1 << WORLD_SENT,
    WORLD_STALE_ONCE = 1 << WORLD_ONCE,
    WORLD_STALE_BEGUN = 1 << WORLD_BEGUN,
    WORLD_STALE_DAVE = 8,
    WORLD_STALE_MANIFEST = 16,
    WORLD_STALE_ALL = 31
};

/*
 * If anything was stored since the last time, replace what of ${stale} is not as it was: other
 * parcels, another Dave, Alice's manifest after the stored one.  The clock is set back.
 */
void world_refresh(struct world *w, unsigned stale);

/* Put the daemon's clock forward, in milliseconds. */
void world_later(uint64_t ms);

/* Stop the daemon and remove the folder.  A zeroed one is fine. */
void world_close(struct world *w);

/* Join ${end} to a new connection. */
void world_connect(struct world *w, struct mem_end *end);

/* One turn of the daemon's loop, without waiting; its memory may run out (nomem.h). */
void world_turn(struct world *w);

/*
 * Let the daemon do all it can: until every request is answered, or, while
 * ${end} is deaf, until nothing moves.
 */
void world_settle(struct world *w, struct mem_end *end);

/* The end of a peer that peer_open() has opened. */
struct mem_end *world_end(const struct peer *p);

#endif /* TESTS_FUZZ_WORLD_H */
