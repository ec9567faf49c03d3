/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
