/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_value - one value of a settings file: text to field and back.
 * Inner part of config.h; programs use that.  Never blocks.
 */
#ifndef COMMON_CONFIG_VALUE_H
#define COMMON_CONFIG_VALUE_H

#include <stdbool.h>

#include "common/config.h"

/*
 * Set the field of ${opt} in ${values} from ${text} (a line's value without
 * surrounding spaces, ended by NUL).  ERR_INVALID: ${problem} says what is
 * wrong (its line is left alone), the field is untouched.  ERR_NOMEM.
 */
MUST_CHECK int config_value_set(const struct config_option *opt, const char *text, void *values,
                                struct config_problem *problem);

/* Append the field as config_value_set() takes it; true if there is a value. */
bool config_value_put(const struct config_option *opt, const void *values, struct buf *out);

/* Append the range as people read it, as in "1 to 64" or "open, invite or closed". */
void config_value_range(const struct config_option *opt, struct buf *out);

/* Free what the field holds and zero it. */
void config_value_free(const struct config_option *opt, void *values);

#endif /* COMMON_CONFIG_VALUE_H */
