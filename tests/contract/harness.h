/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness - a store in a folder of its own, on a loop of its own, and calls
 * that wait for their callback.
 *
 * With an engine that fails now and then ("lmdb-failing": before it does anything; "lmdb-unknown":
 * after it has done it, saying so with ERR_TIMEOUT) the waiting calls try again
 * until they get another answer: what the contract promises about repeating is
 * thereby tested by every test.
 */
#ifndef TESTS_CONTRACT_HARNESS_H
#define TESTS_CONTRACT_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/store/store_engine.h"

enum {
    T0 = 1000000,            /* the time of most tests */
    HARNESS_QUOTA = 1 << 30, /* bytes: more than most tests fill */
};

struct harness {
    char dir[64];
    struct store_config cfg;
    uv_loop_t loop;
    struct store *store;
    struct store_port *port;
    unsigned pending; /* operations started with harness_later() */
    struct store_result *last;
    char complaint[160]; /* what went wrong with those */
    bool repeated;       /* the last call was tried more than once */
};

/* Which engine: "lmdb", "lmdb-failing", "lmdb-unknown".  Set by main(). */
extern const char *harness_engine;
bool harness_fails(void); /* an engine that fails now and then */

int harness_setup(void **state); /* cmocka fixtures */
int harness_teardown(void **state);

void harness_open(struct harness *h);
void harness_close(struct harness *h);  /* store and port; the folder stays */
void harness_remove(struct harness *h); /* the store's files; it is closed */

/* Run the loop until nothing started with harness_later() is under way. */
void harness_wait(struct harness *h);

/*
 * Start, wait, and return the result, which is freed by the next call.  The code must be ${code},
 * or ${again} if it was tried again.
 */
struct store_result *harness_do(struct harness *h, enum store_op op, const void *in, int code,
                                int again);
/* Start and wait: the code, whatever it is; the result, if there is one, is h->last. */
int harness_try(struct harness *h, enum store_op op, const void *in);
/* Start only; the code that comes must be ${code} (or the failing engine's: no new attempt). */
void harness_later(struct harness *h, enum store_op op, const void *in, int code);

/* The same without waiting for room: ERR_OK or what the start call said. */
int harness_later_once(struct harness *h, enum store_op op, const void *in, int code);

/* DO(h, user_get, &in, ERR_OK): any store operation. */
#define DO(h, op, in, code) harness_do((h), STORE_OP_##op, (in), (code), (code))
/* One that ends otherwise when it is done twice. */
#define DO_ONCE(h, op, in, code, again) harness_do((h), STORE_OP_##op, (in), (code), (again))
#define LATER(h, op, in, code)          harness_later((h), STORE_OP_##op, (in), (code))
/* Asserts that the last call's result says duplicate, unless it was tried again. */
#define ASSERT_FRESH(h, res)                                                                       \
    do {                                                                                           \
        bool duplicate_ = (res)->duplicate;                                                        \
        assert_true((h)->repeated || !duplicate_);                                                 \
    } while (0)

/* ---- things to store ---- */

/* User number ${n}: its user ID, or the user itself with ${quota}. */
void harness_uid(unsigned n, uint8_t uid[STORE_UID_LEN]);
void harness_user(struct harness *h, unsigned n, uint64_t quota);
/* The users 1 to ${n}, each with HARNESS_QUOTA. */
void harness_users(struct harness *h, unsigned n);
/* SHA-256 of the manifest with number ${seq} of user ${n}, as it is stored. */
void harness_manifest(struct harness *h, unsigned n, uint64_t seq, uint8_t ret[STORE_HASH_LEN]);
uint64_t harness_used(struct harness *h, unsigned n);

/* What a transfer of one slot and ${len} bytes costs its recipient. */
uint64_t harness_price(uint64_t len);

/* A transfer number ${n} from user ${from} to user ${to}; all the rest follows from the numbers. */
struct sample {
    struct store_upload_open open;
    struct store_slot_new slots[4];
    struct store_upload_seal seal;
    struct store_slot_seal sealed[4];
    uint8_t leaves[4 * STORE_HASH_LEN];
    char header[32];
};

/* The sender's own slot is the second one. */
void harness_sample(struct sample *s, unsigned n, unsigned from, unsigned to);
/* Say that the body is ${len} bytes. */
void harness_body(struct sample *s, uint64_t len);
/* Piece ${index} of it, malloc()ed, as request. */
struct store_piece_put harness_piece(const struct sample *s, uint32_t index);
/* Open, all pieces, seal. */
void harness_send(struct harness *h, struct sample *s);

#endif /* TESTS_CONTRACT_HARNESS_H */
