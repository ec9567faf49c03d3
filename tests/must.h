/* SPDX-License-Identifier: Apache-2.0 */
/* must - what has to hold for a test to make sense: it ends, saying where and what, if not. */
#ifndef TESTS_MUST_H
#define TESTS_MUST_H

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define MUST_OK(call) MUST((call) == ERR_OK)

#endif /* TESTS_MUST_H */
