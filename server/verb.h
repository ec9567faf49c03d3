/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb - the verbs of satcheld, one file each: verb_init.c and so on.
 *
 * Each gets its options read already, reports nothing itself but its result,
 * and returns a code; main.c prints errors and turns codes into exit codes.
 */
#ifndef SERVER_VERB_H
#define SERVER_VERB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* What stood on the command line; strings are those of argv. */
struct verb_opts {
    const char *data, *config, *listen, *certificate, *key;
    const char *file; /* the argument without a name */
    bool raw, next;
    bool has_count;
    uint64_t count;
};

MUST_CHECK int verb_init(const struct verb_opts *o, struct err *err);
MUST_CHECK int verb_pin(const struct verb_opts *o, struct err *err);
MUST_CHECK int verb_serve(const struct verb_opts *o, struct err *err);
MUST_CHECK int verb_check_config(const struct verb_opts *o, struct err *err);
MUST_CHECK int verb_train(const struct verb_opts *o, struct err *err);
MUST_CHECK int verb_shares(const struct verb_opts *o, struct err *err);

#endif /* SERVER_VERB_H */
