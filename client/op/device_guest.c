/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/device_guest.h"

#include <stdio.h>
#include <string.h>

#include "common/crypto/hex.h"

void device_guest_free(struct device_guest *g)
{
    buf_free(&g->request);
    buf_free(&g->opening);
    *g = (struct device_guest){.code = g->code, .server = g->server};
}

struct join_meeting device_guest_meeting(const struct device_guest *g)
{
    return (struct join_meeting){.code = g->code,
                                 .server = g->server,
                                 .request = part(g->request.data, g->request.len),
                                 .joiner = &g->what};
}

static int read_request(struct device_guest *g, struct part sealed, struct err *err)
{
    struct join_meeting m;
    int rc;

    buf_put(&g->request, sealed.data, sealed.len);
    rc = buf_check(&g->request, err);
    m = device_guest_meeting(g);
    if (rc == ERR_OK)
        rc = join_request_open(&g->what, &m, err);
    if (rc == ERR_OK)
        rc = join_check(&m, g->check, err);
    if (rc != ERR_OK)
        return rc;
    g->entry.has_box = true;
    memcpy(g->entry.key, g->what.device_key, sizeof(g->entry.key));
    memcpy(g->entry.box, g->what.box, sizeof(g->entry.box));
    return ids_device(g->entry.key, &g->entry.id);
}

int device_guest_take(struct device_guest *g, struct part sealed, struct err *err)
{
    struct device_guest fresh = {.code = g->code, .server = g->server};
    int rc;

    if (g->request.len > 0 && g->request.len == sealed.len &&
        memcmp(g->request.data, sealed.data, sealed.len) == 0)
        return ERR_OK;
    if (g->opening.len > 0) {
        err_set(err, ERR_EXISTS, "another machine has come with the same code");
        err_hint(err, "begin anew, with a new code");
        return ERR_EXISTS;
    }
    rc = read_request(&fresh, sealed, err);
    if (rc == ERR_UNSUPPORTED) {
        err_set(err, rc, "the new machine has another version of Satchel");
        err_hint(err, "bring both up to date, and begin anew");
    }
    if (rc != ERR_OK) {
        device_guest_free(&fresh);
        return rc;
    }
    device_guest_free(g);
    *g = fresh;
    return ERR_OK;
}

int device_guest_check_pin(const struct device_guest *g, const struct settings *ours,
                           struct err *err)
{
    struct pin pin;

    if (!g->what.has_pin)
        return ERR_OK;
    if (ours->pin == NULL) {
        err_set(err, ERR_PIN, "this device trusts the server through authorities");
        err_hint(err, "join with the same: satchel device join --ca");
        return ERR_PIN;
    }
    if (pin_decode(&pin, ours->pin, err) != ERR_OK || !pin_equal(&pin, &g->what.pin)) {
        err_set(err, ERR_PIN, "the new device sees another key than '%s' has", ours->server);
        err_hint(err, "somebody may be in between: is the server's name right there?");
        return ERR_PIN;
    }
    return ERR_OK;
}

void device_guest_show(const struct device_guest *g, struct satchel_joiner *ret)
{
    *ret = (struct satchel_joiner){0};
    hex_encode(ret->id, g->entry.id.b, sizeof(g->entry.id.b));
    (void)snprintf(ret->name, sizeof(ret->name), "%s", g->what.name);
    (void)snprintf(ret->check, sizeof(ret->check), "%s", g->check);
}

int device_guest_open(struct device_guest *g, struct err *err)
{
    struct join_meeting m = device_guest_meeting(g);

    return g->opening.len > 0 ? ERR_OK : join_opening_seal(&m, &g->opening, err);
}
