/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli - what the verbs of the command share.
 *
 * A verb is a row of a table: name, arguments, options, what it needs, and one
 * function.  main.c finds the row, parses options (options.h), opens what the
 * row needs and reports the outcome (ui.h); the function does the rest through
 * libsatchel's synchronous calls.
 *
 * Threads: one.  Everything here may block.
 */
#ifndef CLIENT_CLI_CLI_H
#define CLIENT_CLI_CLI_H

#include <stdbool.h>

#include "client/cli/options.h"
#include "client/satchel.h"

enum {
    CLI_HANDLE = 1 << 0, /* a handle on the profile */
    CLI_OPEN = 1 << 1,   /* the profile registered and opened; implies CLI_HANDLE */
};

/*
 * Bytes, padded: of what is smaller nothing is kept when its send or get is interrupted, for it is
 * fewer than five pieces (proto/FORMATS.md, section 15).
 */
enum { CLI_KEPT_FROM = 1 << 20 };

struct cli {
    struct satchel_place place;
    int passphrase_fd;    /* -1: ask */
    struct satchel *s;    /* with CLI_HANDLE */
    const char *verb;     /* for messages */
    const struct opt *on; /* options of the verb */
};

struct cli_cmd {
    const char *name, *args, *summary;
    const char *details; /* below the options of --help, which breaks its lines anew; may be "" */
    const struct opt *opts; /* ends with a row without a name; NULL: none */
    const char *ids;        /* of a verb that takes an ID: which verbs show them; else NULL */
    int min_args, max_args; /* -1: no limit */
    unsigned needs;
    bool hidden; /* from the list of verbs: other programs call it */
    /* Return SATCHEL_OK, or a code with ${err} filled; results are already printed. */
    int (*run)(struct cli *cli, int argc, char **argv, struct satchel_error *err);
};

extern const struct cli_cmd cmd_account, cmd_register, cmd_whoami, cmd_send, cmd_inbox, cmd_get,
    cmd_sent, cmd_status, cmd_delete, cmd_revoke, cmd_extend, cmd_watch, cmd_contacts, cmd_doctor,
    cmd_keys, cmd_device, cmd_recover, cmd_receipts, cmd_preview, cmd_factor, cmd_fernet,
    cmd_passphrase, cmd_unlock, cmd_lock, cmd_agent, cmd_profile;

/* Close the handle before the verb ends; in main.c. */
void cli_close(struct cli *cli);

/* Is a second factor enrolled, as the server says?  A code of libsatchel; in cmd_factor.c. */
int cli_factor(struct cli *cli, bool *ret_active);

/* Fill ${err} with the exit code that belongs to ${code}; returns ${code}. */
int cli_error(struct satchel_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * For verbs that do several things one after the other: a ${code} that is not
 * SATCHEL_OK is reported at once with its error ${one}, in order with the
 * results; the first of them stays in *${first} and ${err} (without a message,
 * as it was told) for the exit code.
 */
void cli_keep_first(int code, const struct satchel_error *one, int *first,
                    struct satchel_error *err);

/* Set the hint of ${err}. */
void cli_hint(struct satchel_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif /* CLIENT_CLI_CLI_H */
