/* SPDX-License-Identifier: Apache-2.0 */
/* tmpdir - a folder of its own for a test, removed with all that is in it. */
#ifndef TESTS_UNIT_TMPDIR_H
#define TESTS_UNIT_TMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum { TMPDIR_SIZE = 64 };

/* Make one; NULL if that fails. */
static inline char *tmpdir_make(char ret_path[TMPDIR_SIZE])
{
    (void)snprintf(ret_path, TMPDIR_SIZE, "/tmp/satchel-test-XXXXXX");
    return mkdtemp(ret_path);
}

static inline int tmpdir_unlink(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline int tmpdir_remove(const char *path)
{
    return nftw(path, tmpdir_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

#endif /* TESTS_UNIT_TMPDIR_H */
