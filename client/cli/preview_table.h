/* SPDX-License-Identifier: Apache-2.0 */
/* preview_table - what `satchel preview eval` prints.  Threads: one. */
#ifndef CLIENT_CLI_PREVIEW_TABLE_H
#define CLIENT_CLI_PREVIEW_TABLE_H

#include "models/eval/eval.h"

/* Print the figures, and the result with --json. */
void preview_table(const struct eval_result *r);

#endif /* CLIENT_CLI_PREVIEW_TABLE_H */
