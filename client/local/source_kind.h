/* SPDX-License-Identifier: Apache-2.0 */
/* source_kind - what each kind of source brings: for the source_*.c files alone. */
#ifndef CLIENT_LOCAL_SOURCE_KIND_H
#define CLIENT_LOCAL_SOURCE_KIND_H

#include "client/local/source.h"

/* As the functions of source.h, which check nothing more. */
struct source_kind {
    int (*read)(struct source *s, const struct source_range *range, const atomic_bool *stop,
                size_t *ret_len, struct err *err);
    int (*unchanged)(struct source *s, struct err *err);
    void (*free)(struct source *s); /* what it owns, and its memory */
};

/* The first member of each kind's own structure. */
struct source {
    const struct source_kind *kind;
    struct source_facts facts;
};

#endif /* CLIENT_LOCAL_SOURCE_KIND_H */
