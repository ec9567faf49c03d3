/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch - what the files of this operation share: watch.c (course), watch_names.c (what transfers
 * are called).  Nobody else includes it.
 */
#ifndef CLIENT_OP_WATCH_H
#define CLIENT_OP_WATCH_H

#include "client/op/people.h"
#include "client/op/row.h"

enum {
    WATCH_BATCH = 64, /* events that are told together */
    WATCH_KEPT = 512  /* transfers whose names are remembered */
};

/* What is known of a transfer; in memory alone, for what has ended has no name any more. */
struct watch_title {
    struct tid tid;
    struct uid sender;            /* his signature was checked */
    bool ours;                    /* we are that */
    char name[SATCHEL_FILE_SIZE]; /* "" it could not be opened */
};

/* Names on their way, for the transfers of one batch. */
struct watch_names {
    struct tid wanted[WATCH_BATCH];
    size_t n, left; /* left: requests without an answer */
    struct row rows[WATCH_BATCH];
    struct person persons[WATCH_BATCH]; /* senders of the rows */
    struct hash32 wants[2 * WATCH_BATCH];
    struct people people;
    uint64_t max_lifetime;
};

struct watch_pulse;

struct watch {
    struct satchel_op op;
    void (*on_ready)(void *cookie);
    void (*on_event)(void *cookie, const struct satchel_event *e);
    satchel_done_cb *done;
    struct op_job job;
    struct watch_pulse *pulse;
    bool fresh;      /* nothing was ever told */
    uint64_t cursor; /* the last event told, or queued */
    struct satchel_event *queue;
    size_t n_queue, cap_queue;
    struct satchel_event batch[WATCH_BATCH];
    size_t n_batch;
    bool telling;                       /* the batch is at work */
    struct person persons[WATCH_BATCH]; /* of the batch: strangers so far */
    struct people people;
    struct watch_title titles[WATCH_KEPT]; /* the oldest makes room */
    size_t n_titles, oldest;
    struct watch_names names;
};

/*
 * Find what the transfers of the batch are called and whose they are, fill it in, then call
 * watch_named(), perhaps from inside.  What cannot be found or checked, or for what the server has
 * no time, stays unknown; a lost connection and faults of ours end the operation.
 */
void watch_find_names(struct watch *w);
void watch_free_names(struct watch *w);

/* In watch.c: the batch goes on. */
void watch_named(struct watch *w);

#endif /* CLIENT_OP_WATCH_H */
