/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef err_set /* what err.h tells the analyser */
#undef err_sys

static const struct {
    int code;
    const char *name, *text;
    int exit_code;
} rows[] = {{ERR_OK, "ok", "success", 0},
#define X(name, num, id, text, exit_code) {name, id, text, exit_code},
            ERR_MAP(X)
#undef X
};

static size_t row_of(int code)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].code == code)
            return i;
    return row_of(ERR_INTERNAL);
}

const char *err_text(int code)
{
    return rows[row_of(code)].text;
}

const char *err_name(int code)
{
    return rows[row_of(code)].name;
}

int err_exit_code(int code)
{
    return rows[row_of(code)].exit_code;
}

/* The message alone: what an earlier error left is gone. */
PRINTF_LIKE(3, 0)
static void say(struct err *e, int code, const char *fmt, va_list ap)
{
    e->code = code;
    e->hint[0] = '\0';
    e->retry_ms = 0;
    (void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e != NULL) {
        va_list ap;

        va_start(ap, fmt);
        say(e, code, fmt, ap);
        va_end(ap);
    }
    return code;
}

int err_sys(struct err *e, int sys, const char *fmt, ...)
{
    int code = sys == ENOMEM ? ERR_NOMEM : ERR_IO;

    if (e != NULL) {
        char text[128];
        va_list ap;
        size_t n;

        va_start(ap, fmt);
        say(e, code, fmt, ap);
        va_end(ap);
        n = strlen(e->msg);
        (void)snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerror_r(sys, text, sizeof(text)));
    }
    return code;
}

void err_wrap(struct err *e, const char *fmt, ...)
{
    char front[192], old[sizeof(e->msg)];
    va_list ap;

    if (e == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(front, sizeof(front), fmt, ap);
    va_end(ap);
    memcpy(old, e->msg, sizeof(old));
    (void)snprintf(e->msg, sizeof(e->msg), "%s: %.300s", front, old);
}

void err_hint(struct err *e, const char *fmt, ...)
{
    va_list ap;

    if (e == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
    va_end(ap);
}
