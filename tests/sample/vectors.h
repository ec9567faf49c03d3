/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors - the samples of proto/vectors, made anew from fixed keys.  One file
 * for each format; every case is an object of texts, one on a line.
 */
#ifndef TESTS_SAMPLE_VECTORS_H
#define TESTS_SAMPLE_VECTORS_H

#include <stddef.h>
#include <stdio.h>

/* Names of the files without ".json"; NULL behind the last. */
extern const char *const vectors_names[];

/* Write the file of this name. */
void vectors_write(const char *name, FILE *out);

#endif /* TESTS_SAMPLE_VECTORS_H */
