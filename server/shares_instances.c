/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path of a rotation: the instance that waits computes what it must -> it has a batch of its
 * own -> its file is the current one, durably -> it stands first, what is opened from now on is
 * opened with it.  Whatever fails before that leaves the one before where it is.
 */
#include "server/shares_instances.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "common/crypto/hex.h"
#include "common/log.h"
#include "server/shares_work.h"

enum { HEALTH_QUIET_S = 60, NS = 1000000000 };

int shares_list(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return shares_begin(s, job, SHARES_LIST, cb, arg);
}

int shares_rotate(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return shares_begin(s, job, SHARES_ROTATE, cb, arg);
}

int shares_drop(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return shares_begin(s, job, SHARES_DROP, cb, arg);
}

/* ---- one instance ---- */

/* Counted always, told once a minute at most. */
static void on_health(void *cookie, uint64_t failures)
{
    struct shares_net *net = cookie;
    struct shares *s = net->service;
    uint64_t now = uv_hrtime() / NS, all;

    all = atomic_fetch_add(&s->failures, failures - net->failures) + failures - net->failures;
    net->failures = failures;
    if (s->health_told != 0 && now - s->health_told < HEALTH_QUIET_S)
        return;
    s->health_told = now;
    log_event(LOG_AT_WARN, "keynet_health", log_num("failures", all));
}

static void free_net(struct shares_net *net)
{
    if (net == NULL)
        return;
    shares_hold_drop(net->hold);
    share_batch_free(net->batch);
    keynet_free(net->from.net);
    free(net);
}

/* Takes what ${from} has, also when it fails. */
static int make_net(struct shares *s, const struct instance_loaded *from, struct shares_net **ret,
                    struct err *err)
{
    struct shares_net *net = calloc(1, sizeof(*net));
    int rc = ERR_OK;

    if (net == NULL) {
        keynet_free(from->net);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    net->service = s;
    net->from = *from;
    net->hold = shares_hold_new();
    rc = net->hold != NULL ? share_batch_new(&net->batch, net->from.net, err)
                           : err_set(err, ERR_NOMEM, "out of memory");
    if (rc != ERR_OK) {
        free_net(net);
        return rc;
    }
    keynet_worker_watch(share_batch_worker(net->batch), on_health, net);
    *ret = net;
    return ERR_OK;
}

struct shares_net *shares_net_of(struct shares *s, const struct instance_id *id)
{
    for (size_t i = 0; i < s->nnets; i++)
        if (memcmp(&s->nets[i]->from.id, id, sizeof(*id)) == 0)
            return s->nets[i];
    return NULL;
}

/* All that it opened is in the store. */
static bool is_idle(const struct shares_net *net)
{
    return atomic_load(&net->hold->n) == 1;
}

static void log_instance(const char *event, const struct instance_id *id)
{
    char hex[2 * sizeof(id->b) + 1];

    hex_encode(hex, id->b, sizeof(id->b));
    log_event(LOG_AT_INFO, event, log_str("instance", hex));
}

/* ---- all of them ---- */

/* ${net} stands at ${at}, those from there on one further. */
static void insert(struct shares *s, size_t at, struct shares_net *net)
{
    memmove(&s->nets[at + 1], &s->nets[at], (s->nnets - at) * sizeof(s->nets[0]));
    s->nets[at] = net;
    s->nnets++;
    atomic_store(&s->loaded, s->nnets);
}

static int load_old(struct shares *s, const struct instance_id *id, struct err *err)
{
    struct instance_loaded from = {0};
    struct shares_net *net = NULL;
    size_t at = 1;
    int rc = instance_files_old(s->files, id, &from, err);

    if (rc == ERR_OK)
        rc = make_net(s, &from, &net, err);
    if (rc != ERR_OK)
        return rc;
    while (at < s->nnets && s->nets[at]->from.made > net->from.made)
        at++;
    insert(s, at, net);
    return ERR_OK;
}

int shares_load_nets(struct shares *s, struct err *err)
{
    struct instance_id ids[SHARES_INSTANCES_MAX - 1];
    struct instance_ids old = {.ids = ids, .max = SHARES_INSTANCES_MAX - 1};
    struct instance_loaded from = {0};
    struct shares_net *net = NULL;
    int rc = instance_files_current(s->files, &from, err);

    if (rc == ERR_OK)
        rc = make_net(s, &from, &net, err);
    if (rc != ERR_OK)
        return rc;
    insert(s, 0, net);
    s->kernel = keynet_kernel_name(share_batch_worker(net->batch));
    rc = instance_files_list(s->files, &net->from.id, &old, err);
    for (size_t i = 0; rc == ERR_OK && i < old.n; i++)
        rc = load_old(s, &ids[i], err);
    return rc;
}

void shares_free_nets(struct shares *s)
{
    for (size_t i = 0; i < s->nnets; i++)
        free_net(s->nets[i]);
    s->nnets = 0;
}

/* ---- jobs ---- */

static void fill_in(struct shares *s, struct shares_instances *list)
{
    struct instance_loaded next = {0};

    list->n = 0;
    for (size_t i = 0; i < s->nnets; i++)
        list->items[list->n++] =
            (struct shares_instance){.id = s->nets[i]->from.id,
                                     .made = s->nets[i]->from.made,
                                     .state = i == 0 ? SHARES_CURRENT : SHARES_OLD,
                                     .idle = is_idle(s->nets[i])};
    if (instance_files_peek(s->files, &next, NULL) == ERR_OK && shares_net_of(s, &next.id) == NULL)
        list->items[list->n++] = (struct shares_instance){
            .id = next.id, .made = next.made, .state = SHARES_NEXT, .idle = true};
    keynet_free(next.net);
}

static int rotate(struct shares *s, struct err *err)
{
    struct instance_loaded from = {0};
    struct shares_net *net = NULL;
    int rc;

    if (s->nnets == SHARES_INSTANCES_MAX) {
        rc = err_set(err, ERR_LIMIT, "%u key networks are loaded, no more can be",
                     SHARES_INSTANCES_MAX);
        err_hint(err, "one goes when no transfer needs it: satchelctl instance list");
        return rc;
    }
    rc = instance_files_take(s->files, &from, err);
    if (rc != ERR_OK)
        return rc;
    if (shares_net_of(s, &from.id) != NULL) {
        keynet_free(from.net);
        rc = err_set(err, ERR_EXISTS, "the key network that waits is in use already");
        err_hint(err, "train another one: satcheld train --config FILE");
        return rc;
    }
    rc = make_net(s, &from, &net, err);
    if (rc == ERR_OK)
        rc = instance_files_switch(s->files, &s->nets[0]->from.id, err);
    if (rc != ERR_OK) {
        free_net(net);
        return rc;
    }
    insert(s, 0, net);
    log_instance("instance_rotated", &net->from.id);
    return ERR_OK;
}

static int drop(struct shares *s, const struct instance_id *id, struct err *err)
{
    struct shares_net *net = shares_net_of(s, id);
    struct instance_id gone = *id;
    size_t at = 0;

    if (net == NULL)
        return err_set(err, ERR_NOTFOUND, "there is no such key network");
    if (net == s->nets[0] || !is_idle(net))
        return err_set(err, ERR_BADSTATE, "the key network is in use");
    (void)shares_flush_net(net);
    while (s->nets[at] != net)
        at++;
    s->nnets--;
    memmove(&s->nets[at], &s->nets[at + 1], (s->nnets - at) * sizeof(s->nets[0]));
    atomic_store(&s->loaded, s->nnets);
    free_net(net);
    log_instance("instance_removed", &gone);
    return instance_files_remove(s->files, &gone, err);
}

int shares_instances_job(struct shares *s, struct shares_job *job)
{
    struct shares_instances *list = job->instances;
    int rc = ERR_OK;

    list->err = (struct err){0};
    if (job->kind == SHARES_ROTATE)
        rc = rotate(s, &list->err);
    if (job->kind == SHARES_DROP)
        return drop(s, &job->items[0].instance, &list->err);
    fill_in(s, list);
    return rc;
}
