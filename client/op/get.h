/* SPDX-License-Identifier: Apache-2.0 */
/* get - what the files of this operation share: get.c (course), get_body.c (pieces), get_keep.c
 * (what an earlier attempt left).  Nobody else includes it. */
#ifndef CLIENT_OP_GET_H
#define CLIENT_OP_GET_H

#include "client/core/rate.h"
#include "client/local/output.h"
#include "client/op/find.h"
#include "client/op/row.h"

#define GET_ARCHIVE_SUFFIX ".tar" /* to the name of a folder that is kept packed */
enum { GET_NAME_SIZE = METADATA_NAME_MAX + sizeof(GET_ARCHIVE_SUFFIX) };

enum {
    GET_RANGE = 8,    /* pieces of a request */
    GET_KEEP_MIN = 5, /* pieces of a transfer whose partial file is worth being kept */
    GET_CHECKERS = 4, /* workers that check a partial file */
};

/* A piece between the connection and the file. */
struct get_piece {
    struct op_job job;
    bool asked; /* in use */
    bool open;  /* decrypted and waiting for its turn */
    bool there; /* a worker has written it */
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
    bool keep_archive;
    long (*on_code)(void *cookie, const struct satchel_transfer *t, char *buf, size_t size);
    uint64_t limit_rate;
    void (*on_transfer)(void *cookie, const struct satchel_transfer *t);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_got *r);

    struct op_job job;
    struct row row;
    struct person sender;
    struct people people;
    struct satchel_transfer shown;
    struct output *output;
    atomic_bool stop;             /* for workers: it has ended */
    char code[SATCHEL_CODE_SIZE]; /* the one-time password given last; "": none yet */
    struct secret share_body;
    struct body *body;

    bool whole; /* all is where it belongs, and durable */
    bool no_receipt, receipt_sent;
    struct buf receipt; /* serialised Signed */
    uint64_t max_lifetime;
    bool told;       /* on_transfer was called */
    bool gone;       /* the server has no pieces of it any more: why is asked */
    bool renamed;    /* the output is not called as the sender called it; until that is told */
    char *part_path; /* the partial file is to survive a failure; NULL: it is not */
    bool resuming;   /* it may hold something */
    bool replaced;   /* it held something of another transfer; until that is told */
    struct op_job checkers[GET_CHECKERS];
    _Atomic uint32_t next_check;
    unsigned checking; /* checkers at work */

    struct hash32 *leaves;
    size_t cap_leaves;
    bool leaves_checked;
    uint8_t *have; /* for each piece, once the leaves are checked: is it in the file? */
    uint32_t n_pieces, have_leaves, kept;
    struct rate rate;
    struct get_piece pieces[POOL_PIECES];
    struct get_range ranges[POOL_PIECES];
    struct pool_waiter waiter;
    unsigned credits; /* taken from the pool */
    uint32_t next_asked, next_written, finished;
    uint32_t turn; /* so many from next_written on are being written, in order */
};

/* Get and check the leaves, then all pieces, then make the file whole and end. */
void get_body(struct get *g);

/* The file is whole: tell the server, with a receipt unless the caller wants none, and end. */
void get_receipt(struct get *g);
/* The connection stands again: go on; false: the body had not begun. */
bool get_body_again(struct get *g);

/* Give back what is held; no job runs any more. */
void get_body_free(struct get *g);

/* Open the output and see what is left there of an earlier attempt: for a worker. */
MUST_CHECK int get_keep_open(struct get *g, struct err *err);

/* Check what is left against the leaves, then get_body_fill(). */
void get_keep_check(struct get *g);
void get_body_fill(struct get *g);

/* Bytes of the file that are where they belong, of whatever attempt. */
uint64_t get_bytes_done(const struct get *g);

/* It failed for ${code}: leave the partial file if the same get may go on with it. */
void get_keep_part(struct get *g, int code);

#endif /* CLIENT_OP_GET_H */
