/* SPDX-License-Identifier: Apache-2.0 */
/* vectors_json - cases of a vector file, field by field.  Only for vectors*.c. */
#ifndef TESTS_SAMPLE_VECTORS_JSON_H
#define TESTS_SAMPLE_VECTORS_JSON_H

#include <stdio.h>

#include "common/buf.h"
#include "common/crypto/part.h"
#include "tests/must.h"

struct vectors_json {
    FILE *out;
    int cases;
};

void vectors_json_begin(struct vectors_json *j, const char *what);
void vectors_json_end(struct vectors_json *j);
void vectors_json_text(struct vectors_json *j, const char *name, const char *value);
void vectors_json_number(struct vectors_json *j, const char *name, uint64_t value);
void vectors_json_hex(struct vectors_json *j, const char *name, struct part p);
void vectors_json_buf(struct vectors_json *j, const char *name, const struct buf *b);
void vectors_json_secret(struct vectors_json *j, const char *name, const struct secret *s);

/* The files of a transfer: vectors_transfer.c. */
void vectors_transfer_slot(struct vectors_json *j);
void vectors_transfer_header(struct vectors_json *j);
void vectors_transfer_metadata(struct vectors_json *j);
void vectors_transfer_body(struct vectors_json *j);

/* What comes after the seal: vectors_life.c. */
void vectors_life_statement(struct vectors_json *j);
void vectors_life_events(struct vectors_json *j);

/* A second device: vectors_join.c. */
void vectors_join(struct vectors_json *j);

#endif /* TESTS_SAMPLE_VECTORS_JSON_H */
