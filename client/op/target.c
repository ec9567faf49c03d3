/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/target.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/addr.h"
#include "common/net/pin.h"

static int take_ca(const char *ca, struct settings *t, struct err *err)
{
    char *path;
    int rc;

    if (ca == NULL || strcmp(ca, "system") == 0)
        return settings_set(&t->ca_file, ca, err);
    path = realpath(ca, NULL);
    if (path == NULL)
        return err_set(err, ERR_NOTFOUND, "'%s' does not exist", ca);
    rc = settings_set(&t->ca_file, path, err);
    free(path);
    return rc;
}

int target_take(const struct target_options *o, struct settings *ret, struct err *err)
{
    char server[ADDR_TEXT];
    struct addr addr;
    struct pin pin;
    int rc = addr_parse(&addr, o->server, err);

    if (rc == ERR_OK && o->pin != NULL)
        rc = pin_decode(&pin, o->pin, err);
    if (rc != ERR_OK)
        return rc;
    addr_format(&addr, server);
    rc = settings_set(&ret->server, server, err);
    if (rc == ERR_OK)
        rc = settings_set(&ret->pin, o->pin, err);
    return rc == ERR_OK ? take_ca(o->ca_file, ret, err) : rc;
}
