/* SPDX-License-Identifier: Apache-2.0 */
/* satcheld pin --config FILE: the pin, alone on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "common/fs.h"
#include "common/net/pin.h"
#include "server/settings.h"
#include "server/verb.h"

enum { CERT_MAX = 1 << 20 };

int verb_pin(const struct verb_opts *o, struct err *err)
{
    char text[PIN_CHARS + 1], *path = NULL;
    struct config_report rep;
    struct settings s = {0};
    struct buf pem = {0};
    struct pin pin;
    int rc = settings_read(o->config, &s, &rep, err);

    if (rc == ERR_OK && (path = settings_cert_path(&s)) == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK)
        rc = fs_read(path, CERT_MAX, &pem, err);
    if (rc == ERR_NOTFOUND && path != NULL)
        err_hint(err, "make the data folder with satcheld init --data DIR");
    if (rc == ERR_OK)
        rc = pin_of_pem(&pin, pem.data, pem.len, err);
    if (rc == ERR_OK) {
        pin_encode(&pin, text);
        printf("%s\n", text);
    }
    buf_free(&pem);
    free(path);
    settings_free(&s);
    return rc;
}
