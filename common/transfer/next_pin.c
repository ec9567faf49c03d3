/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/next_pin.h"

#include "common/buf.h"

static int bytes_of(const struct next_pin *n, struct buf *out, struct err *err)
{
    buf_lp(out, n->server.b, IDS_SERVER_LEN);
    buf_lp(out, n->now.b, PIN_BYTES);
    buf_lp(out, n->next.b, PIN_BYTES);
    return buf_check(out, err);
}

int next_pin_sign(const struct next_pin *n, const struct secret *server_key,
                  uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    struct buf body = {0};
    int rc = bytes_of(n, &body, err);

    if (rc == ERR_OK)
        rc = signed_make(SIGNED_NEXT_PIN, server_key, part(body.data, body.len), ret_sig, err);
    buf_free(&body);
    return rc;
}

int next_pin_check(const struct next_pin *n, const uint8_t server_key[IDS_KEY_LEN], struct part sig,
                   struct err *err)
{
    struct buf body = {0};
    int rc = bytes_of(n, &body, err);

    if (rc == ERR_OK)
        rc = signed_check(SIGNED_NEXT_PIN, server_key, part(body.data, body.len), sig, err);
    buf_free(&body);
    return rc;
}
