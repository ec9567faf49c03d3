/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/ui.h"
#include "common/err.h"

int cli_error(struct satchel_error *err, int code, const char *fmt, ...)
{
    va_list ap;

    memset(err, 0, sizeof(*err));
    err->code = code;
    err->exit_code = err_exit_code(code);
    err->name = satchel_code_name(code);
    va_start(ap, fmt);
    (void)vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    return code;
}

void cli_hint(struct satchel_error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
}

void cli_keep_first(int code, const struct satchel_error *one, int *first,
                    struct satchel_error *err)
{
    if (code == SATCHEL_OK)
        return;
    ui_error(one);
    if (*first == SATCHEL_OK) {
        *first = code;
        *err = *one;
        err->message[0] = '\0';
    } else if (code == SATCHEL_E_CANCELED) {
        *first = code;
    }
}
