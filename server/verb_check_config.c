/* SPDX-License-Identifier: Apache-2.0 */
/* satcheld check-config FILE: every problem, with its line and what to do. */
#include <stdio.h>

#include "server/settings.h"
#include "server/verb.h"

static void print_problems(const char *path, const struct config_report *rep)
{
    for (size_t i = 0; i < rep->n; i++) {
        const struct config_problem *p = &rep->items[i];

        if (p->line > 0)
            printf("%s:%u: %s\n", path, p->line, p->msg);
        else
            printf("%s: %s\n", path, p->msg);
        if (p->hint[0] != '\0')
            printf("  hint: %s\n", p->hint);
    }
    if (rep->total > rep->n)
        printf("%s: and %zu more problems\n", path, rep->total - rep->n);
}

int verb_check_config(const struct verb_opts *o, struct err *err)
{
    struct config_report rep;
    int rc = settings_check(o->file, &rep, err);

    if (rc == ERR_OK)
        printf("%s: good\n", o->file);
    if (rep.total == 0)
        return rc; /* good, or it cannot be read */
    print_problems(o->file, &rep);
    return rc == ERR_OK ? rc
                        : err_set(err, rc, "'%s' has %zu problem%s", o->file, rep.total,
                                  rep.total == 1 ? "" : "s");
}
