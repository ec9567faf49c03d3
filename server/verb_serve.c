/* SPDX-License-Identifier: Apache-2.0 */
/* satcheld --config FILE: serve. */
#include "server/service.h"
#include "server/verb.h"

int verb_serve(const struct verb_opts *o, struct err *err)
{
    struct daemon *d = NULL;
    int rc = service_open(&d, o->config, err);

    if (rc != ERR_OK)
        return rc;
    return service_run(d) == 0 ? ERR_OK : ERR_INTERNAL;
}
