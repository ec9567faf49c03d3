/* SPDX-License-Identifier: Apache-2.0 */
/* erasable_keys - a file of erasable keys in a scratch folder, for the tests of erasable_file. */
#ifndef TESTS_UNIT_ERASABLE_KEYS_H
#define TESTS_UNIT_ERASABLE_KEYS_H

#include <sys/types.h>

#include "server/store/erasable_block.h"

enum { KEYS_DAY0 = 20000 };

#define KEYS_DAY_MS ((uint64_t)86400000)
#define KEYS_NOW    (KEYS_DAY0 * KEYS_DAY_MS + 1000)

extern char keys_path[96];

/* Of a group of tests: the scratch folder. */
int keys_setup(void **state);
int keys_teardown(void **state);

/* A new file; the file closed (NULL is fine) and opened again. */
struct erasable_file *keys_fresh(void);
struct erasable_file *keys_reopen(struct erasable_file *f);

/* Write a key whose bytes are all ${n}; read one: the bytes, which are all alike, or a code. */
int keys_put(struct erasable_file *f, uint64_t cell, uint8_t n);
int keys_get(struct erasable_file *f, uint64_t cell);

/* Change one byte of the file. */
void keys_flip(off_t at);

#endif /* TESTS_UNIT_ERASABLE_KEYS_H */
