/* SPDX-License-Identifier: Apache-2.0 */
/* satcheld pin --config FILE [--next]: the pin, alone on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "common/fs.h"
#include "common/net/pin.h"
#include "server/settings.h"
#include "server/verb.h"

enum { CERT_MAX = 1 << 20 };

static int present_pin(const struct settings *s, struct pin *ret, struct err *err)
{
    char *path = settings_cert_path(s);
    struct buf pem = {0};
    int rc = path != NULL ? fs_read(path, CERT_MAX, &pem, err)
                          : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_NOTFOUND)
        err_hint(err, "make the data folder with satcheld init --data DIR");
    if (rc == ERR_OK)
        rc = pin_of_pem(ret, pem.data, pem.len, err);
    buf_free(&pem);
    free(path);
    return rc;
}

static int next_pin(const struct settings *s, struct pin *ret, struct err *err)
{
    bool has = false;
    int rc = settings_next_pin(s, ret, &has, err);

    if (rc == ERR_OK && !has) {
        rc = err_set(err, ERR_NOTFOUND, "no certificate is announced");
        err_hint(err, "name it as 'next_certificate' in [tls]");
    }
    return rc;
}

int verb_pin(const struct verb_opts *o, struct err *err)
{
    char text[PIN_CHARS + 1];
    struct config_report rep;
    struct settings s = {0};
    struct pin pin;
    int rc = settings_read(o->config, &s, &rep, err);

    if (rc == ERR_OK)
        rc = o->next ? next_pin(&s, &pin, err) : present_pin(&s, &pin, err);
    if (rc == ERR_OK) {
        pin_encode(&pin, text);
        printf("%s\n", text);
    }
    settings_free(&s);
    return rc;
}
