/* SPDX-License-Identifier: Apache-2.0 */
#include "server/reload.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/net/tls_ctx.h"
#include "server/daemon.h"
#include "server/notify.h"

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static void swap(void *a, void *b, size_t len)
{
    uint8_t tmp[sizeof(struct config_list)];

    memcpy(tmp, a, len);
    memcpy(a, b, len);
    memcpy(b, tmp, len);
}

/* What cannot change while serving stays as it is; say so if it differs. */
static void keep_fixed(struct settings *fresh, struct settings *old, struct buf *restart)
{
    const struct {
        const char *name;
        bool same;
    } fixed[] = {
        {"data", same_text(fresh->data, old->data)},
        {"listen", same_list(&fresh->listen, &old->listen)},
        {"engine", fresh->engine == old->engine},
        {"bodies", fresh->bodies == old->bodies},
        {"index_max", fresh->index_max == old->index_max},
        {"body_max", fresh->body_max == old->body_max},
    };

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (!fixed[i].same) {
            log_event(LOG_AT_WARN, "needs_restart", log_str("option", fixed[i].name));
            if (restart->len > 0)
                buf_put(restart, ",", 1);
            buf_put(restart, fixed[i].name, strlen(fixed[i].name));
        }
    swap(&fresh->data, &old->data, sizeof(fresh->data));
    swap(&fresh->listen, &old->listen, sizeof(fresh->listen));
    fresh->engine = old->engine;
    fresh->bodies = old->bodies;
    fresh->index_max = old->index_max;
    fresh->body_max = old->body_max;
}

static int load_tls(const struct settings *s, SSL_CTX **ret, struct err *err)
{
    char *cert = settings_cert_path(s), *key = settings_key_path(s);
    int rc = err_set(err, ERR_NOMEM, "out of memory");

    if (cert != NULL && key != NULL)
        rc = tls_ctx_server_files(ret, cert, key, err);
    free(cert);
    free(key);
    return rc;
}

void reload_told_free(struct reload_told *told)
{
    buf_free(&told->changed);
    buf_free(&told->restart);
}

int reload_settings(struct daemon *d, struct reload_told *told)
{
    struct config_report rep;
    struct settings fresh = {0};
    SSL_CTX *tls = NULL;
    struct pin next = {{0}};
    bool has_next = false;
    struct err err = {0};
    int rc;

    notify_reloading();
    rc = settings_read(d->config_path, &fresh, &rep, &err);
    if (rc == ERR_OK)
        rc = load_tls(&fresh, &tls, &err);
    if (rc == ERR_OK)
        rc = settings_next_pin(&fresh, &next, &has_next, &err);
    if (rc != ERR_OK) {
        log_event(LOG_AT_ERROR, "reload_failed", log_why(&err), log_str("hint", err.hint));
        settings_free(&fresh);
        SSL_CTX_free(tls);
        notify_send("READY=1\nSTATUS=Reload failed, serving with the old settings");
        return rc;
    }
    keep_fixed(&fresh, &d->settings, &told->restart);
    config_changed(&settings_schema, &d->settings, &fresh, &told->changed);
    buf_u8(&told->changed, 0); /* ends both */
    buf_u8(&told->restart, 0);
    settings_free(&d->settings);
    d->settings = fresh;
    SSL_CTX_free(d->tls);
    d->tls = tls;
    d->next_pin = next;
    d->has_next_pin = has_next;
    log_set_level((enum log_level)d->settings.log_level);
    log_event(
        LOG_AT_INFO, "reloaded",
        log_str("changed", !told->changed.failed ? (const char *)told->changed.data : "unknown"));
    notify_send("READY=1\nSTATUS=Ready");
    return ERR_OK;
}
