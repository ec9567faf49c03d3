/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_failing - an engine around the LMDB engine that fails every N-th operation.
 */
#ifndef TESTS_CONTRACT_ENGINE_FAILING_H
#define TESTS_CONTRACT_ENGINE_FAILING_H

#include "server/store/store_engine.h"

/*
 * ${after} false: every ${every}-th operation is not done and ends in ERR_IO.
 * ${after} true: every ${every}-th write is done and ends in ERR_TIMEOUT, which means unknown.
 */
MUST_CHECK int engine_failing_open(struct store **ret_s, const struct store_config *cfg,
                                   unsigned every, bool after, struct err *err);

#endif /* TESTS_CONTRACT_ENGINE_FAILING_H */
