/* SPDX-License-Identifier: Apache-2.0 */
/* The public side of errors and names. */
#include <assert.h>
#include <stdio.h>

#include "client/core/handle.h"

#define SAME(name) static_assert((int)SATCHEL_E_##name == (int)ERR_##name, "codes are one list")
SAME(NOMEM);
SAME(INVALID);
SAME(NOTFOUND);
SAME(EXISTS);
SAME(LIMIT);
SAME(CORRUPT);
SAME(IO);
SAME(PROTO);
SAME(TLS);
SAME(CLOSED);
SAME(TIMEOUT);
SAME(CONNECT);
SAME(AUTH);
SAME(FACTOR);
SAME(EXPIRED);
SAME(REVOKED);
SAME(SPENT);
SAME(TOOLARGE);
SAME(QUOTA);
SAME(RATE);
SAME(FULL);
SAME(BUSY);
SAME(DRAINING);
SAME(KEYREUSED);
SAME(INTERNAL);
SAME(UNSUPPORTED);
SAME(BADSTATE);
SAME(INTEGRITY);
SAME(PIN);
SAME(KEYCHANGED);
SAME(PASSPHRASE);
SAME(CANCELED);
SAME(REFUSED);
SAME(BADREQUEST);
SAME(LOCKED);

const char *satchel_version(void)
{
    return SATCHEL_VERSION;
}

const char *satchel_code_name(int code)
{
    return err_name(code);
}

int handle_error(struct satchel_error *to, const struct err *err)
{
    if (to != NULL && err->code != ERR_OK) {
        to->code = err->code;
        to->exit_code = err_exit_code(err->code);
        to->name = err_name(err->code);
        (void)snprintf(to->message, sizeof(to->message), "%s",
                       err->msg[0] != '\0' ? err->msg : err_text(err->code));
        (void)snprintf(to->hint, sizeof(to->hint), "%s", err->hint);
    }
    return err->code;
}

const char *satchel_phase_name(enum satchel_phase phase)
{
    static const char *const names[] = {"connect", "prepare", "transfer", "finish"};

    return (size_t)phase < sizeof(names) / sizeof(names[0]) ? names[phase] : "";
}

const char *satchel_event_name(enum satchel_event_kind kind)
{
    static const char *const names[] = {"",         "stored",  "arrived",         "released",
                                        "received", "expired", "revoked",         "deleted",
                                        "extended", "factor",  "factor_enrolled", "factor_removed"};

    return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "";
}

bool satchel_event_of_account(enum satchel_event_kind kind)
{
    return kind >= SATCHEL_EVENT_FACTOR && kind <= SATCHEL_EVENT_FACTOR_REMOVED;
}

const char *satchel_state_name(enum satchel_state state)
{
    static const char *const names[] = {"stored",  "released", "received", "deleted",
                                        "expired", "revoked",  "spent"};

    return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "";
}
