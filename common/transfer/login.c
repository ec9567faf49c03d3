/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/login.h"

#include "common/buf.h"

static int registration_bytes(const struct login_registration *r, struct buf *out, struct err *err)
{
    if (strlen(r->username) > IDS_USERNAME_TEXT - 1 || strlen(r->email) > IDS_EMAIL_TEXT - 1)
        return err_set(err, ERR_INVALID, "username or e-mail address is too long");
    buf_lp(out, r->server.b, IDS_SERVER_LEN);
    buf_lp(out, r->exporter, LOGIN_EXPORTER_LEN);
    buf_lp_str(out, r->username);
    buf_lp_str(out, r->email);
    buf_lp(out, r->manifest.b, IDS_HASH_LEN);
    return buf_check(out, err);
}

int login_register_sign(const struct login_registration *r, const struct secret *identity,
                        uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    struct buf body = {0};
    int rc = registration_bytes(r, &body, err);

    if (rc == ERR_OK)
        rc = signed_make(SIGNED_REGISTER, identity, part(body.data, body.len), ret_sig, err);
    buf_free(&body);
    return rc;
}

int login_register_check(const struct login_registration *r,
                         const uint8_t identity_key[IDS_KEY_LEN], struct part sig, struct err *err)
{
    struct buf body = {0};
    int rc = registration_bytes(r, &body, err);

    if (rc == ERR_OK)
        rc = signed_check(SIGNED_REGISTER, identity_key, part(body.data, body.len), sig, err);
    buf_free(&body);
    return rc;
}

static int recovery_bytes(const struct login_recovery *r, struct buf *out, struct err *err)
{
    buf_lp(out, r->server.b, IDS_SERVER_LEN);
    buf_lp(out, r->exporter, LOGIN_EXPORTER_LEN);
    buf_lp(out, r->who.data, r->who.len);
    buf_lp(out, r->manifest.data, r->manifest.len);
    return buf_check(out, err);
}

int login_recovery_sign(const struct login_recovery *r, const struct secret *recovery,
                        uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    struct buf body = {0};
    int rc = recovery_bytes(r, &body, err);

    if (rc == ERR_OK)
        rc = signed_make(SIGNED_RECOVER, recovery, part(body.data, body.len), ret_sig, err);
    buf_free(&body);
    return rc;
}

int login_recovery_check(const struct login_recovery *r, const uint8_t recovery_key[IDS_KEY_LEN],
                         struct part sig, struct err *err)
{
    struct buf body = {0};
    int rc = recovery_bytes(r, &body, err);

    if (rc == ERR_OK)
        rc = signed_check(SIGNED_RECOVER, recovery_key, part(body.data, body.len), sig, err);
    buf_free(&body);
    return rc;
}

static int login_bytes(const struct login *l, struct buf *out, struct err *err)
{
    buf_lp(out, l->server.b, IDS_SERVER_LEN);
    buf_lp(out, l->nonce, LOGIN_NONCE_LEN);
    buf_lp(out, l->exporter, LOGIN_EXPORTER_LEN);
    buf_lp(out, l->uid.b, IDS_UID_LEN);
    buf_lp(out, l->device.b, IDS_DEVICE_LEN);
    buf_lp_u64(out, l->time);
    return buf_check(out, err);
}

int login_sign(const struct login *l, const struct secret *device, uint8_t ret_sig[SIGNED_SIG_LEN],
               struct err *err)
{
    struct buf body = {0};
    int rc = login_bytes(l, &body, err);

    if (rc == ERR_OK)
        rc = signed_make(SIGNED_LOGIN, device, part(body.data, body.len), ret_sig, err);
    buf_free(&body);
    return rc;
}

int login_check(const struct login *l, const uint8_t device_key[IDS_KEY_LEN], struct part sig,
                struct err *err)
{
    struct buf body = {0};
    int rc = login_bytes(l, &body, err);

    if (rc == ERR_OK)
        rc = signed_check(SIGNED_LOGIN, device_key, part(body.data, body.len), sig, err);
    buf_free(&body);
    return rc;
}

static int factor_bytes(const struct login_factor *f, struct buf *out, struct err *err)
{
    buf_lp_str(out, "remove");
    buf_lp(out, f->server.b, IDS_SERVER_LEN);
    buf_lp(out, f->exporter, LOGIN_EXPORTER_LEN);
    buf_lp(out, f->uid.b, IDS_UID_LEN);
    return buf_check(out, err);
}

int login_factor_sign(const struct login_factor *f, const struct secret *recovery,
                      uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    struct buf body = {0};
    int rc = factor_bytes(f, &body, err);

    if (rc == ERR_OK)
        rc = signed_make(SIGNED_FACTOR, recovery, part(body.data, body.len), ret_sig, err);
    buf_free(&body);
    return rc;
}

int login_factor_check(const struct login_factor *f, const uint8_t recovery_key[IDS_KEY_LEN],
                       struct part sig, struct err *err)
{
    struct buf body = {0};
    int rc = factor_bytes(f, &body, err);

    if (rc == ERR_OK)
        rc = signed_check(SIGNED_FACTOR, recovery_key, part(body.data, body.len), sig, err);
    buf_free(&body);
    return rc;
}

static int delete_bytes(const struct login_delete *l, struct buf *out, struct err *err)
{
    buf_lp(out, l->server.b, IDS_SERVER_LEN);
    buf_lp(out, l->exporter, LOGIN_EXPORTER_LEN);
    buf_lp(out, l->uid.b, IDS_UID_LEN);
    return buf_check(out, err);
}

int login_delete_sign(const struct login_delete *l, const struct secret *key,
                      uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    struct buf body = {0};
    int rc = delete_bytes(l, &body, err);

    if (rc == ERR_OK)
        rc = signed_make(SIGNED_DELETE, key, part(body.data, body.len), ret_sig, err);
    buf_free(&body);
    return rc;
}

int login_delete_check(const struct login_delete *l, const uint8_t public_key[IDS_KEY_LEN],
                       struct part sig, struct err *err)
{
    struct buf body = {0};
    int rc = delete_bytes(l, &body, err);

    if (rc == ERR_OK)
        rc = signed_check(SIGNED_DELETE, public_key, part(body.data, body.len), sig, err);
    buf_free(&body);
    return rc;
}
