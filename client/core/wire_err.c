/* SPDX-License-Identifier: Apache-2.0 */
#include "client/core/wire_err.h"

#include <stdio.h>
#include <string.h>

#include "common/transfer/utf8.h"

enum { TEXT_MAX = 400, WAIT_MAX = 7 * 24 * 3600 * 1000 };

static const struct {
    Satchel__Code wire;
    int code;
    const char *hint; /* NULL: nothing to say */
} rows[] = {
    {SATCHEL__CODE__BAD_FRAME, ERR_PROTO, "this is a bug in satchel or in the server"},
    {SATCHEL__CODE__BAD_REQUEST, ERR_BADREQUEST, NULL},
    {SATCHEL__CODE__BAD_STATE, ERR_BADSTATE, NULL},
    {SATCHEL__CODE__UNSUPPORTED, ERR_UNSUPPORTED, "the server is older or newer than this satchel"},
    {SATCHEL__CODE__AUTH_FAILED, ERR_AUTH, NULL},
    {SATCHEL__CODE__AUTH_FACTOR, ERR_FACTOR, NULL},
    {SATCHEL__CODE__NOT_FOUND, ERR_NOTFOUND, NULL},
    {SATCHEL__CODE__EXISTS, ERR_EXISTS, NULL},
    {SATCHEL__CODE__EXPIRED, ERR_EXPIRED, "ask the sender to send it again"},
    {SATCHEL__CODE__REVOKED, ERR_REVOKED, NULL},
    {SATCHEL__CODE__SPENT, ERR_SPENT, "ask the sender to send it again"},
    {SATCHEL__CODE__TOO_LARGE, ERR_TOOLARGE, NULL},
    {SATCHEL__CODE__QUOTA, ERR_QUOTA, "try again when the mailbox has room"},
    {SATCHEL__CODE__RATE, ERR_RATE, "try again later"},
    {SATCHEL__CODE__FULL, ERR_FULL, "tell the operator of the server"},
    {SATCHEL__CODE__BUSY, ERR_BUSY, "try again later"},
    {SATCHEL__CODE__DRAINING, ERR_DRAINING, "try again later"},
    {SATCHEL__CODE__KEY_REUSED, ERR_KEYREUSED,
     "the random numbers of this machine are broken: do not use it for secrets"},
    {SATCHEL__CODE__INTERNAL, ERR_INTERNAL, "the server's log says more"},
};

/* Copy what is fit to be shown: UTF-8 without control characters. */
static void safe_text(const char *from, char ret_to[TEXT_MAX + 1])
{
    size_t n = strnlen(from, TEXT_MAX);

    memcpy(ret_to, from, n);
    ret_to[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)ret_to[i] < 0x20 || ret_to[i] == 0x7f)
            ret_to[i] = ' ';
    if (!utf8_valid(ret_to))
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)ret_to[i] >= 0x80)
                ret_to[i] = '?';
}

void wire_wait(uint64_t ms, struct err *err)
{
    unsigned long long s = (ms + 999) / 1000;

    if (ms == 0 || ms > WAIT_MAX)
        return;
    err->retry_ms = (unsigned)ms;
    err_hint(err, "try again in %llu second%s", s, s == 1 ? "" : "s");
}

int wire_err(const Satchel__Error *e, struct err *err)
{
    char text[TEXT_MAX + 1];
    size_t i = 0;

    safe_text(e->message, text);
    while (i < sizeof(rows) / sizeof(rows[0]) && rows[i].wire != e->code)
        i++;
    if (i == sizeof(rows) / sizeof(rows[0]))
        return err_set(err, ERR_PROTO, "the server gave an unknown error: %s", text);
    err_set(err, rows[i].code, "%s", text[0] != '\0' ? text : err_text(rows[i].code));
    if (rows[i].hint != NULL)
        err_hint(err, "%s", rows[i].hint);
    wire_wait(e->retry_after, err);
    return rows[i].code;
}
