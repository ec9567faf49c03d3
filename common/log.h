/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one line for each event, as key=value, to standard error.
 *
 *     2026-10-03T16:20:11.042Z info event=started port=7743
 *     <6>event=started port=7743                    with journald behind it
 *
 * Values are quoted when they need it, so a line is always one line and every
 * field can be taken apart again.  Never put in: names of users, e-mail
 * addresses, file names, keys.
 *
 * Threads: any; a line is written with one write().  Never waits: while
 * nobody takes the lines they are dropped, and the next one says how many.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum log_level { LOG_AT_ERROR, LOG_AT_WARN, LOG_AT_INFO, LOG_AT_DEBUG };

/* One key=value; made by the functions below.  Strings are borrowed for the call. */
struct log_field {
    const char *key;  /* NULL ends a list of fields */
    const char *text; /* or, when NULL, the number */
    int64_t number;
};

static inline struct log_field log_str(const char *key, const char *text)
{
    return (struct log_field){.key = key, .text = text != NULL ? text : ""};
}

static inline struct log_field log_num(const char *key, uint64_t n)
{
    return (struct log_field){.key = key, .number = n > INT64_MAX ? INT64_MAX : (int64_t)n};
}

static inline struct log_field log_int(const char *key, int64_t n)
{
    return (struct log_field){.key = key, .number = n};
}

/* The name of an error code. */
static inline struct log_field log_code(int code)
{
    return log_str("code", err_name(code));
}

/* What happened, in an err's words. */
static inline struct log_field log_why(const struct err *err)
{
    return log_str("why", err->msg);
}

/* One event with one field or more; log_plain() is for one without. */
#define log_event(level, event, ...)                                                               \
    log_write(level, event, (const struct log_field[]){__VA_ARGS__, {NULL, NULL, 0}})
#define log_plain(level, event) log_write(level, event, NULL)

/* What log_event() calls: ${fields} ends with a NULL key; NULL is fine. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* Lines below ${level} are not written.  Starts at LOG_AT_INFO. */
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/* Words of the levels, for settings: "error", "warn", "info", "debug", NULL. */
extern const char *const log_levels[];

/* Write to ${fd} instead of standard error; ${journal} chooses the form.  For tests. */
void log_to(int fd, bool journal);

#endif /* COMMON_LOG_H */
