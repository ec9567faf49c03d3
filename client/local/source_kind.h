/* SPDX-License-Identifier: Apache-2.0 */
/* source_kind - what each kind of source brings: for the source_*.c files alone. */
#ifndef CLIENT_LOCAL_SOURCE_KIND_H
#define CLIENT_LOCAL_SOURCE_KIND_H

#include <sys/stat.h>

#include "client/local/source.h"

/* As the functions of source.h, which check nothing more. */
struct source_kind {
    int (*read)(struct source *s, const struct source_range *range, const atomic_bool *stop,
                size_t *ret_len, struct err *err);
    int (*unchanged)(struct source *s, struct err *err);
    const char *(*note)(const struct source *s, size_t i); /* NULL: never any */
    void (*free)(struct source *s);                        /* what it owns, and its memory */
};

/* The first member of each kind's own structure. */
struct source {
    const struct source_kind *kind;
    struct source_facts facts;
};

/*
 * What comes out of ${fd}, called ${name} in messages.  With ${own} it is closed with the source,
 * and by this call if it fails.
 */
MUST_CHECK int source_pipe(int fd, bool own, const char *name, struct source **ret,
                           struct err *err);

/* Pack the folder that ${fd} is and ${named} says; takes ${fd}, also if it fails.  ERR_UNSUPPORTED:
 * no libarchive. */
MUST_CHECK int source_folder(int fd, const struct stat *st, const struct source_named *named,
                             struct source **ret, struct err *err);

#endif /* CLIENT_LOCAL_SOURCE_KIND_H */
