/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay - what must hold of a data folder after a power cut; replay.c makes the folders,
 * replay_check.c looks at them.
 */
#ifndef TESTS_FAULT_REPLAY_H
#define TESTS_FAULT_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/transfer/ids.h"

/* One transfer to the reader, as far as tests were told of it before the cut. */
struct known {
    uint8_t tid[16];
    bool sent, deleting, deleted;
};

/* What the folder ${dir} must hold for ${reader}. */
struct expectation {
    const char *dir;
    struct uid reader;
    const struct known *known;
    size_t n;
};

/*
 * Open the store and the erasable keys, and look: no fault anywhere, what was acknowledged is there
 * with a key that opens, what was deleted is not, and nothing is listed that is not whole.  True,
 * or the reason has been written to standard error.
 */
bool replay_check(const struct expectation *want);

#endif /* TESTS_FAULT_REPLAY_H */
