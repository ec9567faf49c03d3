/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle_ops - the requests that the oracle knows, one function each.  They
 * call the same functions as the programs, never OpenSSL behind their back.
 */
#ifndef TESTS_ORACLE_ORACLE_OPS_H
#define TESTS_ORACLE_ORACLE_OPS_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/crypto/hash.h"
#include "common/crypto/part.h"

enum { ORACLE_ARGS_MAX = 6 };

enum oracle_answer { ORACLE_OK, ORACLE_TEXT, ORACLE_FAIL, ORACLE_UNSUPPORTED };

/* One field of a request; which member counts is said by the request's row. */
struct oracle_arg {
    struct part bytes;
    uint64_t number;
    bool none; /* of an optional number: "-" */
    enum hash_id hash;
};

struct oracle_op {
    const char *name;
    const char *fields; /* one letter each: b bytes in hex, t text, n number, o number or "-",
                           h name of a hash */
    /* Puts its answer into ${out}: bytes with ORACLE_OK, text with ORACLE_TEXT. */
    enum oracle_answer (*run)(const struct oracle_arg *args, struct buf *out);
};

/* The row of ${name}, or NULL. */
const struct oracle_op *oracle_ops_find(const char *name);

#endif /* TESTS_ORACLE_ORACLE_OPS_H */
