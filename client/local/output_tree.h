/* SPDX-License-Identifier: Apache-2.0 */
/* output_tree - the hidden folder in which a received one is made: for output.c alone.  Threads and
 * errors as there. */
#ifndef CLIENT_LOCAL_OUTPUT_TREE_H
#define CLIENT_LOCAL_OUTPUT_TREE_H

#include "client/local/output.h"

struct output_tree_place {
    int dir;            /* stays the caller's, and open as long as the tree */
    const char *folder; /* its path */
    const char *part;   /* the hidden folder's name in it */
    const char *shown;  /* the path at the end, for messages */
    const char *top;    /* what every path in the archive begins with */
};

struct output_tree;

/* ERR_LOCKED, with what to do: another process makes what should be called ${shown}. */
int output_tree_taken(const char *shown, struct err *err);

/*
 * Make the hidden folder, or empty one that an earlier attempt left, and lock it.  Errors:
 * output_tree_taken(), ERR_REFUSED (something else has its name), ERR_IO, ERR_NOMEM.
 */
MUST_CHECK int output_tree_open(const struct output_tree_place *place, struct output_tree **ret,
                                struct err *err);

/* Has the disk room for ${length} bytes?  ERR_IO. */
MUST_CHECK int output_tree_expect(struct output_tree *t, uint64_t length, struct err *err);

/* As unpack_write(); then make all of it durable. */
MUST_CHECK int output_tree_write(struct output_tree *t, struct part data, const atomic_bool *stop,
                                 struct err *err);
MUST_CHECK int output_tree_end(struct output_tree *t, struct err *err);

/* With ${keep} the folder has got its name; otherwise it is removed.  NULL is fine. */
void output_tree_free(struct output_tree *t, bool keep);

#endif /* CLIENT_LOCAL_OUTPUT_TREE_H */
