/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text - sizes, times and other people's words as a terminal may show them.
 *
 * Threads: any.
 */
#ifndef CLIENT_CLI_TEXT_H
#define CLIENT_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { TEXT_TIME = 32, TEXT_SIZE = 24, TEXT_SAFE = 1024, TEXT_FIT = 4 };

/*
 * ${in} without anything that moves a cursor or turns text around: control
 * characters, bytes that are not UTF-8 and direction marks become \n, \x1b,
 * \u202e; a backslash stays.  Cut to ${cap} bytes.  Returns ${out}.
 */
char *text_safe(const char *in, char *out, size_t cap);

/* All of ${in}, safe as by text_safe() but with its lines: a message.  NULL: out of memory. */
char *text_message(const char *in); /* the caller frees it */

/* "1.5 MiB", "917 B".  Returns ${out}. */
char *text_size(uint64_t bytes, char out[TEXT_SIZE]);

/* RFC 3339 in UTC with milliseconds, as in 2026-11-20T08:00:00.000Z.  Returns ${out}. */
char *text_time(uint64_t ms, char out[TEXT_TIME]);

/* A length of time to the nearest unit: "45s", "12m", "3h", "6d".  Returns ${out}. */
char *text_span(uint64_t ms, char out[TEXT_SIZE]);

/* Now, in ms since 1970. */
uint64_t text_now(void);

/*
 * The first character of ${s} as a code point, its length in *${ret_len}; -1
 * with length 1 if it is not well-formed UTF-8 (RFC 3629).  ${s} is not empty.
 */
long text_decode(const char *s, size_t *ret_len);

/*
 * How many columns a safe text takes: wide characters two, combining ones none, but one each from
 * the fifth behind the same letter on.  Where the system has no locale C.UTF-8, all take one.
 */
size_t text_columns(const char *s);

/* How many bytes of ${s} take at most ${columns}, with what joins the last character. */
size_t text_head(const char *s, size_t columns);

/*
 * ${in}, a safe text, in at most ${columns}: what is too long loses its middle, for which an
 * ellipsis stands, so that the ending of a file's name stays.  ${out} has room for the bytes of
 * ${in} and TEXT_FIT more.  Returns ${out}.
 */
char *text_fit(const char *in, size_t columns, char *out);

#endif /* CLIENT_CLI_TEXT_H */
