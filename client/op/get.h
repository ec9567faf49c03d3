/* SPDX-License-Identifier: Apache-2.0 */
/* get - what the files of this operation share: get.c (course), get_body.c (pieces).  Nobody else
 * includes it. */
#ifndef CLIENT_OP_GET_H
#define CLIENT_OP_GET_H

#include "client/local/output.h"
#include "client/op/find.h"
#include "client/op/row.h"

enum { GET_RANGE = 8 /* pieces of a request */ };

/* A piece between the connection and the file. */
struct get_piece {
    struct op_job job;
    bool busy, open; /* in use; decrypted and waiting for its turn */
    uint32_t index;
    struct buf data; /* ciphertext, then plaintext in its place */
    size_t len;      /* of the file's part */
};

/* A request for pieces that is not answered in full. */
struct get_range {
    bool busy;
    uint32_t next, left;
};

struct get {
    struct satchel_op op;
    struct find find;
    struct output_spec spec;
    char *folder, *file;
    long (*on_code)(void *cookie, const struct satchel_transfer *t, char *buf, size_t size);
    void (*on_transfer)(void *cookie, const struct satchel_transfer *t);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_got *r);

    struct op_job job;
    struct row row;
    struct person sender;
    struct people people;
    struct satchel_transfer shown;
    struct output *output;
    atomic_bool stop; /* for workers: it has ended */
    struct secret share_body;
    struct body *body;

    uint64_t max_lifetime;
    struct hash32 *leaves;
    size_t cap_leaves;
    uint32_t n_pieces, have_leaves;
    struct get_piece pieces[POOL_PIECES];
    struct get_range ranges[POOL_PIECES];
    struct pool_waiter waiter;
    unsigned credits; /* taken from the pool */
    uint32_t next_asked, next_written, finished;
    bool writing; /* in order, one at a time */
    struct get_piece *turn;
};

/* Get and check the leaves, then all pieces, then make the file whole and end. */
void get_body(struct get *g);

/* Give back what is held; no job runs any more. */
void get_body_free(struct get *g);

#endif /* CLIENT_OP_GET_H */
