/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - one list of errors for every part of Satchel.
 *
 * Functions that can fail return int: ERR_OK (0) or one of the negative codes
 * below, and are marked MUST_CHECK.  ERR_AGAIN is not a failure: "call again
 * after the next event".  A struct err, passed last and optional (NULL is
 * fine), says where and why; each layer may put its own words in front with
 * err_wrap() and say what to do with err_hint().  Libraries do not report;
 * the outermost caller reports, once.
 *
 * Columns: name, number, what err_name() gives, text, and the exit code of a
 * command that ends with it: 1 failed, 2 usage, 3 not found, 4 refused,
 * 5 network, 6 integrity, 7 local storage, 130 interrupted.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stddef.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define ERR_MAP(X)                                                                                 \
    X(ERR_AGAIN, 1, "again", "not ready yet", 1)                                                   \
    X(ERR_NOMEM, 2, "nomem", "out of memory", 1)                                                   \
    X(ERR_INVALID, 3, "invalid", "invalid argument", 2)                                            \
    X(ERR_NOTFOUND, 4, "notfound", "not found", 3)                                                 \
    X(ERR_EXISTS, 5, "exists", "already exists", 4)                                                \
    X(ERR_LIMIT, 6, "limit", "limit reached", 1)                                                   \
    X(ERR_CORRUPT, 7, "corrupt", "stored data is corrupt", 7)                                      \
    X(ERR_IO, 8, "io", "input/output error", 7)                                                    \
    X(ERR_PROTO, 9, "proto", "the peer broke the protocol", 5)                                     \
    X(ERR_TLS, 10, "tls", "TLS failure", 5)                                                        \
    X(ERR_CLOSED, 11, "closed", "connection closed", 5)                                            \
    X(ERR_TIMEOUT, 12, "timeout", "timed out", 5)                                                  \
    X(ERR_CONNECT, 13, "connect", "cannot connect", 5)                                             \
    X(ERR_AUTH, 14, "auth", "authentication failed", 4)                                            \
    X(ERR_FACTOR, 15, "factor", "another factor is needed", 4)                                     \
    X(ERR_EXPIRED, 16, "expired", "expired", 4)                                                    \
    X(ERR_REVOKED, 17, "revoked", "revoked", 4)                                                    \
    X(ERR_SPENT, 18, "spent", "no opens left", 4)                                                  \
    X(ERR_TOOLARGE, 19, "toolarge", "too large", 4)                                                \
    X(ERR_QUOTA, 20, "quota", "quota exceeded", 4)                                                 \
    X(ERR_RATE, 21, "rate", "too many requests", 4)                                                \
    X(ERR_FULL, 22, "full", "the store is full", 1)                                                \
    X(ERR_BUSY, 23, "busy", "busy", 5)                                                             \
    X(ERR_DRAINING, 24, "draining", "the daemon is shutting down", 5)                              \
    X(ERR_KEYREUSED, 25, "keyreused", "a content key was used before", 4)                          \
    X(ERR_INTERNAL, 26, "internal", "internal error", 1)                                           \
    X(ERR_UNSUPPORTED, 27, "unsupported", "not supported", 1)                                      \
    X(ERR_BADSTATE, 28, "badstate", "not allowed in this state", 1)                                \
    X(ERR_INTEGRITY, 29, "integrity", "integrity check failed", 6)                                 \
    X(ERR_PIN, 30, "pin", "the server's key is not the pinned one", 4)                             \
    X(ERR_KEYCHANGED, 31, "keychanged", "a contact's keys do not follow from the pinned ones", 4)  \
    X(ERR_PASSPHRASE, 32, "passphrase", "wrong passphrase or damaged vault", 4)                    \
    X(ERR_CANCELED, 33, "canceled", "interrupted", 130)                                            \
    X(ERR_REFUSED, 34, "refused", "refused", 4)                                                    \
    X(ERR_BADREQUEST, 35, "badrequest", "the peer did not accept the request", 1)                  \
    X(ERR_LOCKED, 36, "locked", "in use by another process", 7)

enum err_code {
    ERR_OK = 0,
#define X(name, num, id, text, exit_code) name = -(num),
    ERR_MAP(X)
#undef X
};

struct err {
    int code;
    char msg[512];     /* what failed, on what, why: lower case, no full stop */
    char hint[256];    /* what to do; empty if there is nothing to say */
    unsigned retry_ms; /* the peer's advice when to try again; 0: none */
};

/* Fixed text for ${code}; never NULL. */
const char *err_text(int code);

/* The code's name for programs, without "ERR_" in lower case, as in "notfound"; never NULL. */
const char *err_name(int code);

/* The exit code of a command that ends with ${code}: 0 for ERR_OK. */
int err_exit_code(int code);

/* Fill ${e} (may be NULL), clear its hint, and return ${code}. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set(), with ": " and the text of the errno value ${sys} behind; ENOMEM gives ERR_NOMEM. */
int err_sys(struct err *e, int sys, const char *fmt, ...) PRINTF_LIKE(3, 4);

#ifdef __clang_analyzer__
/* The analyser sees one file at a time: tell it that these two never give ERR_OK. */
#define err_set(e, code, ...) ((void)err_set(e, code, __VA_ARGS__), (code))
#define err_sys(e, sys, ...)  ((void)err_sys(e, sys, __VA_ARGS__), ERR_IO)
#endif

/* Put "<context>: " in front of the message of ${e} (may be NULL). */
void err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Set the hint of ${e} (may be NULL). */
void err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif /* COMMON_ERR_H */
