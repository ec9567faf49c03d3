/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/actor.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/crypto/ed25519.h"
#include "common/transfer/manifest_build.h"
#include "tests/must.h"

void actor_make(struct actor *a, const char *name)
{
    sample_user(&a->u, name);
    (void)snprintf(a->email, sizeof(a->email), "%s@Example.ORG", name);
}

void actor_free(struct actor *a)
{
    sample_user_free(&a->u);
}

Satchel__Code actor_register(struct peer *p, const struct actor *a, const char *invite)
{
    Satchel__Register msg = SATCHEL__REGISTER__INIT;
    Satchel__Signed manifest = SATCHEL__SIGNED__INIT;
    PEER_ENV(env, REGISTER, register_, &msg);
    struct login_registration r = {.server = p->server,
                                   .username = a->u.name,
                                   .email = a->email,
                                   .manifest = a->u.first->hash};
    uint8_t sig[SIGNED_SIG_LEN];

    MUST(peer_exporter(p, r.exporter));
    MUST_OK(login_register_sign(&r, &a->u.isk, sig, NULL));
    manifest.body.data = (uint8_t *)(uintptr_t)a->u.first->body.data;
    manifest.body.len = a->u.first->body.len;
    PEER_BYTES(manifest.signature, a->u.first->signature);
    msg.username = (char *)(uintptr_t)a->u.name;
    msg.email = (char *)(uintptr_t)a->email;
    msg.manifest = &manifest;
    msg.invite = (char *)(uintptr_t)(invite != NULL ? invite : "");
    PEER_BYTES(msg.signature, sig);
    return peer_ask(p, &env);
}

uint64_t actor_send_login(struct peer *p, const struct actor *a)
{
    Satchel__Login msg = SATCHEL__LOGIN__INIT;
    PEER_ENV(env, LOGIN, login, &msg);
    struct login l = {
        .server = p->server, .uid = a->u.uid, .device = a->u.device.id, .time = p->time};
    uint8_t sig[SIGNED_SIG_LEN];

    memcpy(l.nonce, p->nonce, sizeof(l.nonce));
    MUST(peer_exporter(p, l.exporter));
    MUST_OK(login_sign(&l, &a->u.dsk, sig, NULL));
    PEER_BYTES(msg.user_id, l.uid.b);
    PEER_BYTES(msg.device, l.device.b);
    msg.time = l.time;
    PEER_BYTES(msg.signature, sig);
    return peer_send(p, &env, NULL, 0);
}

Satchel__Code actor_login(struct peer *p, const struct actor *a)
{
    return peer_code(peer_wait(p, actor_send_login(p, a)));
}

Satchel__Code actor_put_manifest(struct peer *p, const struct manifest *m)
{
    Satchel__PutManifest msg = SATCHEL__PUT_MANIFEST__INIT;
    Satchel__Signed body = SATCHEL__SIGNED__INIT;
    PEER_ENV(env, PUT_MANIFEST, put_manifest, &msg);

    body.body.data = (uint8_t *)(uintptr_t)m->body.data;
    body.body.len = m->body.len;
    PEER_BYTES(body.signature, m->signature);
    msg.manifest = &body;
    return peer_ask(p, &env);
}

struct manifest *actor_next_manifest(const struct actor *a, const struct manifest *before,
                                     uint64_t created)
{
    struct manifest_build_plan plan = {.previous = before,
                                       .created = created,
                                       .devices = &a->u.device,
                                       .n_devices = 1,
                                       .eks = &a->u.key,
                                       .n_eks = 1};
    struct manifest *m = NULL;

    MUST(manifest_build(&plan, &a->u.isk, &m, NULL) == ERR_OK);
    return m;
}

struct manifest *actor_succeed(const struct actor *a, const struct manifest *before,
                               const struct manifest_device *with, const struct secret *isk)
{
    struct manifest_build_succession s = {.uid = a->u.uid,
                                          .number = (uint32_t)before->n_successions + 1,
                                          .last_manifest = before->hash};
    struct manifest_device devices[2] = {a->u.device};
    struct manifest_build_plan plan = {.previous = before,
                                       .created = SAMPLE_TIME + 9,
                                       .devices = devices,
                                       .n_devices = with != NULL ? 2 : 1,
                                       .eks = &a->u.key,
                                       .n_eks = 1};
    struct buf raw = {0};
    struct manifest *m = NULL;

    devices[0].revoked = SAMPLE_TIME + 9;
    if (with != NULL)
        devices[1] = *with;
    MUST_OK(ed25519_public(s.identity_key, isk->data));
    MUST_OK(manifest_build_succession(&s, &a->u.rk, &raw, NULL));
    plan.succession = part(raw.data, raw.len);
    MUST_OK(manifest_build(&plan, isk, &m, NULL));
    buf_free(&raw);
    return m;
}

void actor_enter(struct peer *p, uint16_t port, const struct actor *a)
{
    MUST(peer_open(p, port));
    MUST(peer_hello(p) == SATCHEL__CODE__CODE_NONE);
    MUST(actor_login(p, a) == SATCHEL__CODE__CODE_NONE);
}
