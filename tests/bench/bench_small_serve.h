/* SPDX-License-Identifier: Apache-2.0 */
/* bench_small_serve - the server of bench_small_run.h, a process of its own. */
#ifndef TESTS_BENCH_BENCH_SMALL_SERVE_H
#define TESTS_BENCH_BENCH_SMALL_SERVE_H

#include <stdatomic.h>

#include "tests/bench/bench_small_pairs.h"
#include "tests/bench/bench_small_run.h"

/* Memory that both processes see. */
struct serve_counts {
    atomic_uint records;
};

/* Serve ${pairs} until all of them have ended. */
void small_serve(const struct small_run *r, struct pair pairs[PAIR_MAX],
                 struct serve_counts *counts);

#endif /* TESTS_BENCH_BENCH_SMALL_SERVE_H */
