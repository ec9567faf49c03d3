/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/device_code.h"

#include <stdio.h>

#include "client/local/hedge.h"

int device_code_draw(struct profile *p, const struct uid *uid, struct join_code *ret,
                     struct err *err)
{
    struct secret nonce = {0};
    int rc = hedge_draw(p->hedge, "join code", part(NULL, 0), &nonce, err);

    if (rc == ERR_OK)
        rc = join_code_make(ret, &nonce, uid, err);
    secret_free(&nonce);
    return rc;
}

int device_code_show(const struct join_code *code, const struct settings *t, uint64_t expires,
                     const struct satchel_device_add_options *o, struct err *err)
{
    struct satchel_join_code c = {.server = t->server, .ca = t->ca_file, .expires = expires};
    struct secret text = {0}, uri = {0};
    int rc = join_code_show(code, &text, err);

    if (rc == ERR_OK)
        rc = secret_new(&uri, SATCHEL_JOIN_URI_SIZE, err);
    if (rc == ERR_OK) {
        (void)snprintf((char *)uri.data, uri.len, "satchel://join/%s/%s", t->server,
                       (const char *)text.data);
        c.code = (const char *)text.data;
        c.uri = (const char *)uri.data;
        o->on_code(o->cookie, &c);
    }
    secret_free(&text);
    secret_free(&uri);
    return rc;
}
