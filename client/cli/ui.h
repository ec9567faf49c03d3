/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ui - the only place where the command speaks: text for people, or with
 * --json one object per line on standard output.
 *
 * Text results go to standard output, notices, progress and errors to standard
 * error.  With --json everything is an object on standard output: {"event":..}
 * while something goes on, then {"result":..} or {"error":..}.
 *
 * Threads: one.
 */
#ifndef CLIENT_CLI_UI_H
#define CLIENT_CLI_UI_H

#include <stdbool.h>

#include <jansson.h>

#include "client/satchel.h"

/* How to report, from the global options; then what they were. */
void ui_setup(bool json, bool quiet);
bool ui_json(void);
bool ui_quiet(void);

/* How many columns the terminal has that standard output is; 0: it is none. */
size_t ui_columns(void);

/* A line of text on standard output, or nothing with --json. */
void ui_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A remark on standard error; nothing with --quiet or --json. */
void ui_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* {"event": ${name}, ...${fields}}; takes ${fields}.  Only with --json. */
void ui_event(const char *name, json_t *fields);

/* {"result": ${result}}; takes ${result}.  Only with --json. */
void ui_result(json_t *result);

/*
 * The error with its hint, as text or as {"error":{"code","message","hint"}}.  An error without a
 * message is told with the words of its code, unless another error was told before
 * (cli_keep_first() leaves it so).
 */
void ui_error(const struct satchel_error *err);

/* For satchel_options.on_notice. */
void ui_notice(void *cookie, const struct satchel_notice *n);

/* A JSON string; bytes that are not UTF-8 become U+FFFD. */
json_t *ui_json_text(const char *s);

/* A JSON string with a time as RFC 3339 UTC with milliseconds. */
json_t *ui_json_time(uint64_t ms);

/* False if anything could not be written to standard output; flushes. */
bool ui_finish(void);

#endif /* CLIENT_CLI_UI_H */
