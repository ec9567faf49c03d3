/* SPDX-License-Identifier: Apache-2.0 */
/* vector_file - the files of proto/vectors, read one "name": "value" on a line, for test_vectors.c:
 * what is missing or has another form fails the test. */
#ifndef TESTS_UNIT_VECTOR_FILE_H
#define TESTS_UNIT_VECTOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/crypto/part.h"
#include "common/secret.h"

struct vector_file {
    struct buf raw;
    const char *at; /* the case that is being read, in raw */
};

/* Read proto/vectors/${name}.json, at the beginning; the caller frees f->raw. */
void vector_load(const char *name, struct vector_file *f);

/* Go to the next case that begins with ${kind}; false: there is none. */
bool vector_next(struct vector_file *f, const char *kind);

/* The field ${name} of the case: as text, of less than ${size} bytes; as a number. */
void vector_text(const struct vector_file *f, const char *name, char *ret, size_t size);
uint64_t vector_number(const struct vector_file *f, const char *name);

/* Its bytes, which live until 31 more have been asked for.  Not for two threads at a time. */
struct part vector_get(const struct vector_file *f, const char *name);

/* Copies of them: of exactly ${len} bytes; of any number, which the caller frees. */
void vector_fixed(const struct vector_file *f, const char *name, void *ret, size_t len);
void vector_secret(const struct vector_file *f, const char *name, struct secret *ret);

/* The field has these bytes. */
void vector_assert(const struct vector_file *f, const char *name, const void *bytes, size_t len);

#define VECTOR_GET(f, name, object)    vector_fixed(f, name, &(object), sizeof(object))
#define VECTOR_ASSERT(f, name, object) vector_assert(f, name, &(object), sizeof(object))

#endif /* TESTS_UNIT_VECTOR_FILE_H */
